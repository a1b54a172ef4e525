"""Events of a job, a message each, for subscribers.

Delivered at least once and in no certain order, like all messages: `at` orders them, and
a job's end is the last of its attempt.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.engine.job import Job

VERSION: Final = 1
_NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


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

    def notice(self, facts: Mapping[str, Any] = _NO_FACTS) -> Notice:
        """Return the event as a message.

        Args:
            facts: what the job's kind says of it.
        """
        attributes = (
            ("client", self.job.client),
            ("event", self.kind.value),
            ("job", self.job.id),
        )
        return Notice(
            body=json.dumps(self._fields(facts), separators=(",", ":")), attributes=attributes
        )

    def _fields(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        job = self.job
        fields: dict[str, Any] = {
            "v": VERSION,
            "event": self.kind.value,
            "at": self.at,
            "job": job.id,
            "client": job.client,
            "attempt": job.attempt,
            "run": job.run,
            "problem": job.spec,
            **facts,
        }
        if job.error is not None:
            fields["error"] = {"code": job.error.code, "detail": job.error.detail}
        return fields
