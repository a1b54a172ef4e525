"""What happens to a job, for those who subscribe to it: a message of its own for each event.  Pure.

Told at least once and in no certain order, like all messages: `at` and `points_done` tell what is
newer, and a job's end is the last word on its attempt.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gridwell.kinds.grid.job_view import grid_view

if TYPE_CHECKING:
    from gridwell.engine.job import Job

VERSION: Final = 1


class EventKind(enum.StrEnum):
    """The events of a job."""

    ACCEPTED = "accepted"
    PROGRESS = "progress"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message for all who subscribe: its text, and the attributes by which they filter."""

    body: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something happened to a job."""

    kind: EventKind
    job: Job  #: as it was then
    at: float  #: seconds since 1970

    @classmethod
    def of_end(cls, job: Job, *, at: float) -> JobEvent:
        """The event of a job that has ended: its kind is the job's state."""
        return cls(kind=EventKind(job.state.value), job=job, at=at)

    def notice(self) -> Notice:
        """The event as a message."""
        attributes = (
            ("client", self.job.client),
            ("event", self.kind.value),
            ("job", self.job.id),
        )
        return Notice(body=json.dumps(self._fields(), separators=(",", ":")), attributes=attributes)

    def _fields(self) -> dict[str, Any]:
        job, view = self.job, grid_view(self.job)
        fields: dict[str, Any] = {
            "v": VERSION,
            "event": self.kind.value,
            "at": self.at,
            "job": job.id,
            "client": job.client,
            "attempt": job.attempt,
            "run": job.run,
            "problem": job.problem,
            "points_done": view.points_done,
            "points_total": view.grid.points,
        }
        if view.result is not None:
            fields["result"] = {
                "minimum": view.result.value,
                "index": view.grid.triple(view.result.index),
                "point": view.grid.point(view.result.index),
            }
        if job.error is not None:
            fields["error"] = {"code": job.error.code, "detail": job.error.detail}
        return fields
