"""Which processes a program has brought into the world, and whether they are gone."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Members:
    """Processes, each by its id and start time: an id alone may come again."""

    started: frozenset[tuple[int, str]]

    def alive(self) -> list[str]:
        """The command lines of those that still run."""
        lines = []
        for pid, start in self.started:
            if _start_time(pid) == start:
                lines.append(f"{pid}: {_command(pid)}")
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that was there when somebody looked."""

    pid: int
    parent: int
    start: str  #: when it began: an id alone may come again
    arguments: tuple[str, ...]

    def runs(self, *module: str) -> bool:
        """Whether it is `python -m <module> …`."""
        words = ("-m", *module)
        return any(
            self.arguments[place : place + len(words)] == words
            for place in range(len(self.arguments))
        )

    def signal(self, number: signal.Signals) -> bool:
        """Send it a signal, and to nobody who got its id after it; whether it was still there."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # Compared while the handle holds the id.
            if _start_time(self.pid) != self.start:
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


@dataclass(frozen=True, slots=True)
class Family:
    """A process and all that descends from it."""

    root: int

    def named(self, module: str, *words: str) -> list[int]:
        """The ids of those that run `python -m <module> <words>`."""
        return [process.pid for process in self.processes() if process.runs(module, *words)]

    def processes(self) -> list[Process]:
        """Those that are there now; none that has ended and waits to be noticed."""
        found = []
        for pid in self._ids():
            fields = _stat(pid)
            if fields is not None and fields[0] != "Z":
                arguments = tuple(_command(pid).split("\0")[:-1])
                found.append(
                    Process(pid=pid, parent=int(fields[1]), start=fields[19], arguments=arguments)
                )
        return found

    def _ids(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and (fields := _stat(int(folder.name))):
                children.setdefault(int(fields[1]), []).append(int(folder.name))
        found: list[int] = []
        waiting = [self.root]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += children.get(pid, [])
        return found

    def members(self) -> Members:
        """Those that are there now."""
        found = self._ids()
        return Members(frozenset((pid, start) for pid in found if (start := _start_time(pid))))


def _start_time(pid: int) -> str | None:
    fields = _stat(pid)
    # A zombie has ended; only its parent has not noticed yet.
    return None if fields is None or fields[0] == "Z" else fields[19]


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name: the state, the parent, …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _command(pid: int) -> str:
    """A process's arguments, each ended by a NUL."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
