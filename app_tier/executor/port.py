"""What the worker asks of whatever computes: processes here, virtual time in a simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gridwell.engine.task_failure import MACHINE_FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from gridwell.kinds.grid.grid import Box
    from gridwell.kinds.grid.minimum import Minimum


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTask:
    """One chunk to compute."""

    ticket: int  #: the worker's own number for it, never used twice
    kind: str  #: names the handler
    problem: str  #: the problem's sha
    data: bytes  #: the stored problem
    box: Box
    incumbent: int | None  #: a likely point, if the worker knows a better one than the problem


@dataclass(frozen=True, slots=True)
class Found:
    """What a handler found."""

    best: Minimum | None  #: None: no point qualified
    points: tuple[Minimum, ...] = ()  #: of a series
    map: NDArray[np.float64] | None = None  #: to be kept: the box's potentials


class ChunkMap(Protocol):
    """The potentials of a chunk's points, stored beside the worker until they are kept."""

    def read(self) -> bytes:
        """All of it, as `gridwell.kinds.grid.stored_map` describes it."""

    def remove(self) -> None:
        """Give its room back; once it is gone this does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """How a task ended: with `error` it failed, and without, `best` is its result."""

    ticket: int
    best: Minimum | None = None  #: None: no point qualified
    points: tuple[Minimum, ...] = ()  #: of a series
    map: ChunkMap | None = None  #: to be kept before the result is sent
    map_digest: str | None = None  #: of the map that was kept
    seconds: float = 0.0  #: of computing, on one core
    error: str | None = None
    code: str = MACHINE_FAILED  #: of the error, one of `gridwell.engine.task_failure`'s


class Executor(Protocol):
    """Computes tasks in the order of their submission, some at a time."""

    def submit(self, task: ChunkTask) -> None:
        """Take a task; it starts when a core is free."""

    def discard(self, ticket: int) -> None:
        """Forget a task: it is not started, or stopped soon, and has no outcome."""

    def progress(self) -> Mapping[int, int]:
        """Counters, by ticket, of the tasks that have started and not ended.

        A counter rises while its task moves; it says nothing of how far the task is.
        """

    def found(self) -> Mapping[int, int]:
        """How many points of their series tasks have found that have not ended, by ticket.

        Those that have found none may be left out.
        """

    def finished(self) -> list[TaskOutcome]:
        """The outcomes of tasks that ended, each told once."""

    def wait(self, seconds: float) -> None:
        """Return when an outcome is there, or after `seconds`."""
