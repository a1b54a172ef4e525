"""What a worker's step reports: the shell logs it and obeys it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class WorkerExit(enum.Enum):
    """Why a worker ends, with the status its process exits with."""

    IDLE = 0  #: nothing to do: the unit powers the instance off on this status alone
    UNREACHABLE = 69  #: the queue did not answer for long: EX_UNAVAILABLE, which powers off too
    UNFIT = 71  #: this machine must compute no more: EX_OSERR, which powers off too
    STOPPED = 75  #: told to stop: EX_TEMPFAIL, which restarts after a stray SIGTERM


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a line in the log."""

    action: str  #: a stable dotted name
    text: str
    serious: bool = True  #: somebody may have to act


@dataclass(slots=True)
class StepReport:
    """What one step did."""

    exit: WorkerExit | None = None
    notes: list[Note] = field(default_factory=list)

    def note(self, action: str, text: str, *, serious: bool = True) -> None:
        """Add a note."""
        self.notes.append(Note(f"worker.{action}", text, serious))
