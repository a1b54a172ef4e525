"""A real memcached as a child process on 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridwell.domain.errors import ServiceError
from gridwell.local_stack.processes import Child, start

if TYPE_CHECKING:
    from pathlib import Path

READY_SECONDS = 10.0
CONNECTIONS = 4096
UNPRIVILEGED_USER = "nobody"  #: memcached refuses to run as root


@dataclass(frozen=True, slots=True, kw_only=True)
class Memcached:
    """A running memcached."""

    child: Child
    address: str  #: as host:port

    def stop(self) -> None:
        """End it; what it holds is gone."""
        self.child.stop()


def start_memcached(*, log: Path, port: int | None = None, megabytes: int = 64) -> Memcached:
    """Start a memcached that answers.

    Args:
        log: where its messages go.
        port: to listen on; None for a free one.
        megabytes: of memory for items.

    Raises:
        ServiceError: it is not installed, or does not answer; the words say what to do.
    """
    program = shutil.which("memcached")
    if program is None:
        raise ServiceError(
            "memcached is not installed: `sudo apt-get install -y memcached` (Debian, Ubuntu),"
            " `sudo dnf install -y memcached` (Fedora) or `brew install memcached` (macOS)"
        )
    port = free_port() if port is None else port
    command = [program, "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
    command += ["-m", str(megabytes), "-c", str(CONNECTIONS)]
    child = start(
        "memcached",
        command,
        env={"PATH": os.defpath},
        log=log,
        user=UNPRIVILEGED_USER if os.geteuid() == 0 else None,
    )
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(port):
        if not child.is_running or time.monotonic() > deadline:
            child.stop()
            raise ServiceError(
                f"memcached does not answer on 127.0.0.1:{port}; its log {log} ends with:\n"
                f"{child.last_lines()}"
            )
        time.sleep(0.01)
    if not child.is_running:
        raise ServiceError(f"port {port} is taken by another memcached: name another port")
    return Memcached(child=child, address=f"127.0.0.1:{port}")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as link:
        link.sendall(b"version\r\n")
        return link.recv(64).startswith(b"VERSION")
    return False
