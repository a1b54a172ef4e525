"""Identification of the process that makes a call, which can then be killed (SIGKILL).

The other end of a loopback connection belongs to a process of this machine, which the kernel
names under /proc.  Instances live in PID namespaces of their own, but we see them from outside,
with ids that are ours.  Only programs of this local stack are ever found: they carry its mark in
their environment, which a person's shell does not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gridwell.local_stack.loopback_peer import find_peer

#: Marks the programs of a local stack; its value is the stack's folder.
MARK: Final = "GRIDWELL_LOCAL_STACK"
#: What a program was started as: it may run another in its place, as the web tier does gunicorn.
PROGRAM: Final = "GRIDWELL_LOCAL_PROGRAM"
INSTANCE_MARK: Final = "GRIDWELL_INSTANCE_FOLDER"
_DEAD_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Callers:
    """Finds the callers that belong to one local stack.

    Args:
        state: the stack's folder.
    """

    state: Path
    _known: weakref.WeakKeyDictionary[Any, list[int]] = field(
        default_factory=weakref.WeakKeyDictionary
    )

    def of(self, connection: Any) -> list[int]:
        """Return this stack's processes at the other end of a connection, mostly one."""
        pids = self._known.get(connection)
        if pids is None:
            pids = self._known[connection] = self._holders(connection)
        return pids

    def program(self, connection: Any) -> str:
        """Return the calling program, like ``web_tier serve``; empty for a foreign process."""
        pids = self.of(connection)
        return program_of(pids[0]) if pids else ""

    def kill(self, connection: Any) -> list[int]:
        """Kill the caller, and wait until it is dead.

        Returns:
            The ids of the killed processes.
        """
        killed = []
        peer = find_peer(connection)
        for pid in self.of(connection):
            with contextlib.suppress(ProcessLookupError):  # dead already
                handle = os.pidfd_open(pid)
                try:
                    # Looked up again: the id may have been given to another process.
                    if peer and self._is_ours(pid) and peer.inode in _sockets(pid):
                        signal.pidfd_send_signal(handle, signal.SIGKILL)
                        select.select([handle], [], [], _DEAD_SECONDS)
                        killed.append(pid)
                finally:
                    os.close(handle)
        return killed

    def _holders(self, connection: Any) -> list[int]:
        peer = find_peer(connection)
        if peer is None:
            return []
        pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
        return [pid for pid in pids if self._is_ours(pid) and peer.inode in _sockets(pid)]

    def _is_ours(self, pid: int) -> bool:
        if pid == os.getpid():
            return False
        variables = _variables(pid)
        is_inside = variables.get(INSTANCE_MARK, "").startswith(f"{self.state / 'instances'}/")
        return is_inside or variables.get(MARK) == str(self.state)


def program_of(pid: int) -> str:
    """Return the words of a process's command after ``python -m``, or its program's name."""
    if program := _variables(pid).get(PROGRAM):
        return program
    arguments = _read(f"/proc/{pid}/cmdline")
    if "-m" in arguments:
        return " ".join(arguments[arguments.index("-m") + 1 :]).strip()
    return Path(arguments[0]).name


def _variables(pid: int) -> dict[str, str]:
    """Return a process's environment, as it was started with."""
    return {
        name: value
        for name, is_set, value in (v.partition("=") for v in _read(f"/proc/{pid}/environ"))
        if is_set
    }


def _read(path: str) -> list[str]:
    """Return the texts in a file of /proc, each ended by a NUL; none if the process has gone."""
    try:
        return Path(path).read_text(errors="replace").split("\0")
    except OSError:  # or it is another user's
        return [""]


def _sockets(pid: int) -> set[str]:
    """Return the numbers of the sockets that a process holds."""
    found = set()
    with contextlib.suppress(OSError):  # gone meanwhile
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                target = os.readlink(descriptor)  # noqa: PTH115 - no path: `socket:[123]`
                if target.startswith("socket:["):
                    found.add(target[len("socket:[") : -1])
    return found
