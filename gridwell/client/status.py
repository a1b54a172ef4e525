"""A job as the interface showed it: frozen, and tolerant of fields that are yet to come."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.job import UNFINISHED, JobError, JobState

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_MISSHAPEN: Final = (AttributeError, KeyError, TypeError, ValueError)


class Measure(NamedTuple):
    """Progress of a job."""

    done: int
    total: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """One look at a job of any kind."""

    id: str
    state: str  #: text and not an enum: an older client must be able to show a newer state
    workers: tuple[str, ...]  #: the workers that reported tasks of it
    result: Any  #: of a done job, in its kind's terms; None before
    error: JobError | None
    created: datetime
    finished: datetime | None
    links: dict[str, str]  #: paths below the service's URL
    fields: dict[str, Any] = field(repr=False, compare=False)  #: all that the service said

    @property
    def kind(self) -> str:
        """The kind of work."""
        kind: str = self.fields["kind"]
        return kind

    @property
    def ended(self) -> bool:
        """True if it will not change any more."""
        return self.state not in UNFINISHED

    @property
    def done(self) -> bool:
        """True if it has ended with a result."""
        return self.state == JobState.DONE

    @property
    def measure(self) -> Measure:
        """Its progress, in tasks."""
        progress = self.fields["progress"]
        done, total = progress["tasks_done"], progress["tasks_total"]
        return Measure(done, total, f"{done:,} / {total:,} tasks")

    @property
    def steps_in_stream(self) -> bool:
        """True if the stream of events has each step; else the job itself is polled."""
        return False

    @property
    def counts(self) -> str:
        """A note on its tasks beside `measure`; empty: none."""
        return ""

    @property
    def rate_unit(self) -> str:
        """The unit of the progress per second; empty: it would say nothing."""
        return "tasks/s"

    @property
    def subject(self) -> str:
        """The request in a word or two."""
        return self.kind

    @property
    def answer(self) -> str:
        """The result of a done job in a few words."""
        return self.measure.words

    def facts(self) -> list[tuple[str, str]]:
        """Return names and values of what was asked, and of the result if there is one."""
        details = self.fields["details"]
        return [("kind", self.kind), *((name, json.dumps(each)) for name, each in details.items())]

    def answer_facts(self) -> list[tuple[str, str]]:
        """Return names and values of a done job's answer, for a terminal."""
        done, total, _ = self.measure
        return [*self.facts(), ("tasks", f"{done:,} of {total:,}")]

    def further_lines(self) -> list[str]:
        """Return lines that follow a done job's facts."""
        return []

    def moved(self, step: dict[str, Any]) -> Self:
        """Return the status after a step of its stream of events."""
        progress = self.fields["progress"] | {"tasks_done": int(step["tasks_done"])}
        fields = self.fields | {"state": step["state"], "progress": progress}
        return replace(self, state=str(step["state"]), fields=fields)

    def after(self, seen: JobStatus) -> Self:  # noqa: ARG002 - a default
        """Return the same, with no hint lower than was seen before."""
        return self

    @classmethod
    def decode(cls, fields: Any) -> Self:
        """Return the status in a job's JSON.

        Raises:
            InvalidMessage: if it is no job.
        """
        return decoded("a job", lambda: cls(**cls._values(fields)))

    @classmethod
    def _values(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the class in a job's JSON."""
        progress = {name: int(fields["progress"][name]) for name in ("tasks_done", "tasks_total")}
        shown = {"kind": str(fields["kind"]), "details": dict(fields["details"])}
        result = shown["details"] if fields["state"] == JobState.DONE else None
        return common_values(fields | shown | {"progress": progress}) | {"result": result}


def common_values(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what the JSON of every job has, by the names of `JobStatus`."""
    error = fields["error"]
    return {
        "id": str(fields["id"]),
        "state": str(fields["state"]),
        "workers": tuple(str(worker) for worker in fields["workers"]),
        "error": None if error is None else JobError(str(error["code"]), str(error["detail"])),
        "created": datetime.fromisoformat(fields["created"]),
        "finished": moment(fields["finished"]),
        "links": {str(name): str(path) for name, path in fields["links"].items()},
        "fields": fields,
    }


def decoded(what: str, read: Callable[[], _T]) -> _T:
    """Return what `read` makes of a response.

    Raises:
        InvalidMessage: if the response does not have the shape that `read` expects.
    """
    try:
        return read()
    except _MISSHAPEN as error:
        raise InvalidMessage(
            f"the answer is not {what} ({type(error).__name__}: {error}); "
            "check the URL, and that client and service are of one version"
        ) from error


def moment(text: str | None) -> datetime | None:
    """Return ISO 8601 as a time in its zone."""
    return None if text is None else datetime.fromisoformat(text)
