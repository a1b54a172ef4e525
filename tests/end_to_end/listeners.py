"""All sockets at which a program and its descendants can be reached, as the kernel lists them."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.end_to_end.processes import Family

_LISTENS: Final = "0A"
_ACCEPTS: Final = 0x10000  #: a flag in /proc/net/unix: listen() was called
_STREAM, _DATAGRAM = "0001", "0002"
_PATH_FIELD: Final = 7
_WORD: Final = 8  #: hexadecimal digits of a part of an address, in the machine's byte order


@dataclass(frozen=True, slots=True)
class Listeners:
    """Addresses, without duplicates."""

    tcp: list[tuple[str, int]] = field(default_factory=list)
    udp: list[tuple[str, int]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)  #: paths of listening Unix sockets
    abstract: list[str] = field(default_factory=list)  #: names of listening Unix sockets
    datagrams: list[str] = field(default_factory=list)  #: names of bound abstract datagram sockets


def listeners_of(family: Family) -> Listeners:
    """Return what the processes of a family listen on now."""
    inodes = {inode for process in family.processes() for inode in _sockets(process.pid)}
    found = Listeners()
    for table, addresses in (("tcp", found.tcp), ("udp", found.udp)):
        for path in (Path(f"/proc/net/{table}"), Path(f"/proc/net/{table}6")):
            for line in path.read_text().splitlines()[1:] if path.exists() else ():
                fields = line.split()
                if fields[9] in inodes and (table == "udp" or fields[3] == _LISTENS):
                    addresses.append(_address(fields[1]))
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=_PATH_FIELD)
        if fields[6] not in inodes or len(fields) <= _PATH_FIELD:
            continue
        name, kind, accepts = fields[_PATH_FIELD], fields[4], int(fields[3], 16) & _ACCEPTS
        if not name.startswith("@"):
            found.files.extend([name] if accepts or kind == _DATAGRAM else [])
        elif kind == _DATAGRAM:
            found.datagrams.append(name[1:])
        elif accepts:
            found.abstract.append(name[1:])
    return found


def _sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):  # it has gone
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = os.readlink(descriptor)  # noqa: PTH115 - no path: `socket:[123]`
                if target.startswith("socket:["):
                    found.add(target[len("socket:[") : -1])
    return found


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    words = (bytes.fromhex(host[at : at + _WORD])[::-1] for at in range(0, len(host), _WORD))
    return str(ipaddress.ip_address(b"".join(words))), int(port, 16)
