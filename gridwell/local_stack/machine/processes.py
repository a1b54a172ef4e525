"""Process trees without control groups.

A child that calls setsid leaves its session and its process group.  It keeps the environment that
it was started with, and the first process adopts it if its parent ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

#: systemd gives every start of a unit one of these; it marks all that the start has spawned.
INVOCATION = "INVOCATION_ID"


def marked(name: str, value: str) -> list[int]:
    """Return the processes whose environment has this variable with this value."""
    needle = f"{name}={value}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # gone meanwhile, or not ours to look into
                if needle in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def descendants(ancestor: int) -> list[int]:
    """Return all children of a process, their children and so on."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # gone meanwhile
                # The second field is the command in brackets, which may hold anything.
                rest = (folder / "stat").read_text().rpartition(")")[2].split()
                if rest[0] != "Z":
                    parents[int(folder.name)] = int(rest[1])
    found, grown = {ancestor}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(found - {ancestor})


def send(pids: list[int], number: signal.Signals) -> None:
    """Signal each process that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, as the first process is."""
    import ctypes  # noqa: PLC0415 - only where there is no PID namespace

    subreaper = 36  # PR_SET_CHILD_SUBREAPER
    if ctypes.CDLL(None, use_errno=True).prctl(subreaper, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def kill_descendants() -> None:
    """Kill all descendants of this process, however often they fork meanwhile."""
    while left := descendants(os.getpid()):
        send(left, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
