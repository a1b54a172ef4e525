"""What runs in a compute process.  It imports numpy and the kernels, and neither AWS nor logging.

One task at a time.  A task has a cell of shared numbers: the child raises the first as the task
moves, the parent sets the second to stop it, and the third is how many points of its series the
child has found.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from ctypes import Array, c_int64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app_tier.executor.spec_cache import SpecCache
from app_tier.kinds.grid.kernels.choice import is_large
from app_tier.kinds.grid.runners import HANDLERS
from app_tier.kinds.grid.warm_up import have_compiled
from gridwell.kinds.grid.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from app_tier.executor.output_file import MapFile
    from gridwell.kinds.grid.grid import Box
    from gridwell.kinds.grid.minimum import Minimum

CELLS: Final = 2  #: tasks that a child may have: one computing, one waiting for its turn
MOVES, STOP, FOUND = 0, 1, 2  #: positions in a cell
CELL_SIZE: Final = 3

Counters = Array[c_int64]


class Stopped(Exception):  # noqa: N818 - an order that was followed, not an error
    """The parent wants no result of this task any more."""


class UnknownProblem(Exception):  # noqa: N818 - tells the parent to send it again
    """The parent thought that this child had the problem."""


_problems: SpecCache[Problem] = SpecCache()
_counters: list[Counters] = []


def begin(counters: Counters) -> None:
    """Set the process up; the executor calls it once."""
    _counters.append(counters)
    # A terminal's Ctrl-C and a group's SIGTERM reach children too; the parent decides for them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def ready() -> int:
    """Show that the process is up: its id."""
    return os.getpid()


@dataclass(frozen=True, slots=True)
class Ran:
    """What a task came to."""

    best: Minimum | None
    points: tuple[Minimum, ...]
    seconds: float  #: that it took
    mapped: bool  #: whether its map is in the file


def run(
    cell: int,
    kind: str,
    sha: str,
    stored: Path | None,
    box: Box,
    incumbent: int | None,
    file: MapFile,
) -> Ran:
    """Compute a chunk.

    Args:
        cell: which cell of the counters is the task's.
        kind: names the handler.
        sha: the problem's sha.
        stored: a file that holds the problem and is removed; None: it was given before.
        box: the chunk's box.
        incumbent: a likely point.
        file: where its map goes, if its kind has one.
    """
    counters, start = _counters[0], time.perf_counter()
    moves, stop, points = (cell * CELL_SIZE + place for place in (MOVES, STOP, FOUND))

    def moved(found: int) -> None:
        counters[moves] += 1
        counters[points] = found
        if counters[stop]:
            raise Stopped

    # First the problem, also for a task that is stopped: the parent counts on it being kept.
    problem = _recall(sha, stored)
    moved(0)
    if is_large(problem.atoms, box):
        have_compiled(moved)
    found = HANDLERS[kind](problem, box, incumbent, moved)
    if found.map is not None:
        file.write(found.map)
    return Ran(found.best, found.points, time.perf_counter() - start, found.map is not None)


def _recall(sha: str, stored: Path | None) -> Problem:
    if stored is None:
        if sha not in _problems:
            raise UnknownProblem(sha)
        return _problems.take(sha)
    try:
        size = stored.stat().st_size
        _problems.drop(sha)
        _problems.make_room(size)  # first: two large problems at once fill too much memory
        problem = Problem.decode(stored, sha=sha)
    finally:
        stored.unlink(missing_ok=True)
    _problems.put(sha, problem, size)
    return problem


def _follow_parent() -> None:
    """End with the parent, however it ends: a process that waits for work would stay for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
