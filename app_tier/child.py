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
from collections import OrderedDict
from ctypes import Array, c_int64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from app_tier.handlers import HANDLERS
from gridwell.domain.problem import Problem

if TYPE_CHECKING:
    from app_tier.map_file import MapFile
    from gridwell.domain.grid import Box
    from gridwell.domain.minimum import Minimum

CELLS: Final = 2  #: tasks that a child may have: one computing, one waiting for its turn
KEPT_PROBLEMS: Final = 2  #: problems that a child keeps: as many as tasks it may have
MOVES, STOP, FOUND = 0, 1, 2  #: positions in a cell
CELL_SIZE: Final = 3

Counters = Array[c_int64]
_T = TypeVar("_T")


class Stopped(Exception):  # noqa: N818 - an order that was followed, not an error
    """The parent wants no result of this task any more."""


class UnknownProblem(Exception):  # noqa: N818 - tells the parent to send it again
    """The parent thought that this child had the problem."""


_problems: OrderedDict[str, Problem] = OrderedDict()
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
    data: bytes | None,
    box: Box,
    incumbent: int | None,
    file: MapFile,
) -> Ran:
    """Compute a chunk.

    Args:
        cell: which cell of the counters is the task's.
        kind: names the handler.
        sha: the problem's sha.
        data: the stored problem; None: this process was given it before.
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
    problem = _recall(sha, data)
    moved(0)
    found = HANDLERS[kind](problem, box, incumbent, moved)
    if found.map is not None:
        file.write(found.map)
    return Ran(found.best, found.points, time.perf_counter() - start, found.map is not None)


def _recall(sha: str, data: bytes | None) -> Problem:
    problem = _problems.pop(sha, None)
    if problem is None:
        if data is None:
            raise UnknownProblem(sha)
        problem = Problem.decode(data, sha=sha)
    remember(_problems, sha, problem)
    return problem


def remember(kept: OrderedDict[str, _T], sha: str, value: _T) -> None:
    """Keep a problem as the latest, and forget the oldest: here and, to know it, in the parent."""
    kept[sha] = value
    kept.move_to_end(sha)
    while len(kept) > KEPT_PROBLEMS:
        kept.popitem(last=False)


def _follow_parent() -> None:
    """End with the parent, however it ends: a process that waits for work would stay for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
