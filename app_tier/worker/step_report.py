"""The report of a worker's step: the shell logs its notes and obeys its exit."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class WorkerExit(enum.Enum):
    """Reasons for the end of a worker, with the exit status of its process."""

    IDLE = 0  #: nothing to do: the unit powers the instance off on this status alone
    UNREACHABLE = 69  #: the queue did not answer for long: EX_UNAVAILABLE, which powers off too
    UNFIT = 71  #: this machine must compute no more: EX_OSERR, which powers off too
    STOPPED = 75  #: asked to stop: EX_TEMPFAIL, which restarts after a stray SIGTERM


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log."""

    action: str  #: a stable dotted name
    text: str
    serious: bool = True  #: an operator may have to act


@dataclass(slots=True)
class StepReport:
    """The report of one step."""

    exit: WorkerExit | None = None  #: None: the worker goes on
    notes: list[Note] = field(default_factory=list)
