"""A real memcached as a child process, on a socket file or on 127.0.0.1.

Its protocol has no credentials: who reaches it reads and writes everything.  A socket file in a
private folder is reached by its owner alone, so a local stack has no other.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.processes import Child, start

if TYPE_CHECKING:
    from pathlib import Path

READY_SECONDS = 10.0
CONNECTIONS = 4096
UNPRIVILEGED_USER: Final = "nobody"  #: memcached refuses to run as root on a port
_SOCKET_MODE: Final = "0600"
_LONGEST_PATH: Final = 107  #: bytes that the kernel takes for a socket file's path


@dataclass(frozen=True, slots=True, kw_only=True)
class Memcached:
    """A running memcached."""

    child: Child
    address: str  #: as host:port, or the path of its socket file

    def stop(self) -> None:
        """End it; what it holds is gone."""
        self.child.stop()


def start_memcached(
    *,
    log: Path,
    port: int | None = None,
    megabytes: int = 64,
    socket_file: Path | None = None,
) -> Memcached:
    """Start a memcached that answers.

    Args:
        log: where its messages go.
        port: to listen on; None for a free one.
        megabytes: of memory for items.
        socket_file: to listen on in the place of any port; its folder must be private.

    Raises:
        ServiceError: it is not installed, or does not answer; the words say what to do.
    """
    program = shutil.which("memcached")
    if program is None:
        raise ServiceError(
            "memcached is not installed: `sudo apt-get install -y memcached` (Debian, Ubuntu),"
            " `sudo dnf install -y memcached` (Fedora) or `brew install memcached` (macOS)"
        )
    if socket_file is None:
        port = free_port() if port is None else port
        address, listen = f"127.0.0.1:{port}", ["-l", "127.0.0.1", "-p", str(port), "-U", "0"]
        user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
    else:
        # Root must name a user, and names itself: another one could not enter the folder, and
        # all of that user's processes could look into memcached.
        address, user = str(socket_file), None
        listen = ["-s", address, "-a", _SOCKET_MODE]
        listen += ["-u", pwd.getpwuid(0).pw_name] if os.geteuid() == 0 else []
        if len(os.fsencode(address)) > _LONGEST_PATH:
            raise ServiceError(
                f"{address} is too long for a socket file's path ({len(os.fsencode(address))}"
                f" bytes, at most {_LONGEST_PATH}): name a shorter folder with --state"
            )
    command = [program, *listen, "-m", str(megabytes), "-c", str(CONNECTIONS)]
    child = start("memcached", command, env={"PATH": os.defpath}, log=log, user=user)
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(address):
        if not child.is_running or time.monotonic() > deadline:
            child.stop()
            raise ServiceError(
                f"memcached does not answer on {address}; its log {log} ends with:\n"
                f"{child.last_lines()}"
            )
        time.sleep(0.01)
    if not child.is_running:
        raise ServiceError(f"{address} is taken by another memcached: name another port")
    return Memcached(child=child, address=address)


def connect(address: str, seconds: float) -> socket.socket:
    """Return a connection to a memcached.

    Args:
        address: as host:port, or the path of a socket file.
        seconds: until it gives up, and for each answer.

    Raises:
        OSError: it does not listen there.
    """
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        return socket.create_connection((host, int(port)), seconds)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(seconds)
    try:
        link.connect(address)
    except OSError:
        link.close()
        raise
    return link


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), connect(address, 1.0) as link:
        link.sendall(b"version\r\n")
        return link.recv(64).startswith(b"VERSION")
    return False
