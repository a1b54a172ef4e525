"""The other end of a loopback connection, as the kernel knows it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_ESTABLISHED: Final = "01"
_NO_INODE: Final = "0"  #: of a socket that no process holds: the kernel shows user 0 for it
#: A dual-stack socket that has connected to 127.0.0.1 is in the second table.
_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
_WORD: Final = 4  #: bytes; the kernel writes addresses word by word, in the machine's byte order


@dataclass(frozen=True, slots=True)
class Peer:
    """Socket at the other end of a connection."""

    uid: int  #: of the user who made it
    inode: str  #: the kernel's number for it


def find_peer(connection: Any) -> Peer | None:
    """Return the other end of an open TCP connection within this machine.

    Args:
        connection: a connected IPv4 socket.

    Returns:
        The peer; None if it has closed its end, as the kernel then no longer knows its user.
    """
    try:
        (their_host, their_port), (our_host, our_port) = (
            connection.getpeername()[:2],
            connection.getsockname()[:2],
        )
    except OSError:
        return None
    for table in _TABLES:
        mapped = table.endswith("6")
        theirs = f"{_hex(their_host, mapped=mapped)}:{their_port:04X}"
        ours = f"{_hex(our_host, mapped=mapped)}:{our_port:04X}"
        try:
            with Path(table).open() as lines:
                for line in lines:
                    fields = line.split()
                    found = (fields[1], fields[2], fields[3]) == (theirs, ours, _ESTABLISHED)
                    if found and fields[9] != _NO_INODE:
                        return Peer(uid=int(fields[7]), inode=fields[9])
        except FileNotFoundError:  # a kernel without IPv6
            continue
    return None


def _hex(host: str, *, mapped: bool) -> str:
    """Return an IPv4 address as the kernel's tables write it, in the second one mapped to IPv6."""
    packed = ipaddress.IPv4Address(host).packed
    if mapped:
        packed = ipaddress.IPv6Address(f"::ffff:{host}").packed
    words = (packed[start : start + _WORD] for start in range(0, len(packed), _WORD))
    return "".join(word[::-1].hex().upper() for word in words)
