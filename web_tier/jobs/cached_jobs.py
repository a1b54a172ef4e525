"""What the cache and the object store hold of finished and running jobs, and under which keys.

Two keys a job, so that no late writer can put "running" over "done": `final:` is written only
after the ledger says so, `progress:` is a hint that anybody may write.  Every value says whose it
is, and a value that does not is a miss.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gridwell.engine.canonical_json import canonical_json
from gridwell.engine.errors import GridwellError
from gridwell.engine.job import Job, job_id
from gridwell.engine.job_fields import fields_of, job_of_fields

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_VERSION: Final = 1
_FINAL_VERSION: Final = 2  #: of finished jobs, whose kind keeps a detail in them
FINAL_SECONDS: Final = 3600
PROGRESS_SECONDS: Final = 10
_END_OF_TIME: Final = 2.5e11  #: seconds since 1970; calendars end soon afterwards

#: What a value of another version, of somebody else, or cut short may raise while it is read.
_UNREADABLE = (GridwellError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an attempt has come."""

    attempt: str
    done: frozenset[int]  #: tasks merged
    found: int = 0  #: items of its register's payload, as `Job.found`
    counted: int = 0  #: tasks done of a job of blocks, whose numbers are in no list

    @property
    def tasks_done(self) -> int:
        """The number of tasks that are done."""
        return self.counted or len(self.done)

    def joined(self, other: Progress) -> Progress:
        """The further of two looks at the same attempt, whichever came first."""
        further = max(self, other, key=lambda progress: progress.tasks_done)
        return replace(further, found=max(self.found, other.found))


def final_key(job: str) -> str:
    """The cache key of a finished job."""
    return f"final:{job}"


def progress_key(job: str) -> str:
    """The cache key of a running job's progress."""
    return f"progress:{job}"


def answer_key(problem: str) -> str:
    """The cache key of the answer to a problem."""
    return f"answer:{problem}"


def encode_final(job: Job) -> bytes:
    """A finished job, with all that a reader is shown of it."""
    shown = replace(
        job,
        best=None,
        credits=frozenset(),
        replicas=frozenset(),
        sent_at=None,
        resend_at=None,
        resends=0,
        moved=None,
    )
    fields = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in fields_of(shown).items()
    }
    return canonical_json({"version": _FINAL_VERSION, "id": job.id, **fields}).encode()


def decode_final(data: bytes, job: str) -> Job | None:
    """The finished job that `encode_final` gave, or None if the value is not that of `job`.

    Values of release 0.1 are misses: the ledger has what they held, and they last an hour.
    """

    def read(fields: dict[str, Any]) -> Job | None:
        found = job_of_fields(job, fields)
        return found if fields["id"] == job and _is_final(found) else None

    return _decode(data, read, version=_FINAL_VERSION)


def _is_final(job: Job) -> bool:
    """Return whether a job has ended, and its id, client, tasks and times are of one job."""
    times = [job.created, job.deadline, job.finished, job.expires]
    ids = job_id(job.client, job.spec), job_id(job.client, job.spec, job.kind)
    return (
        job.state.terminal
        and job.id in ids
        and job.done <= frozenset(range(job.tasks))
        and all(time is None or 0 <= time < _END_OF_TIME for time in times)
        and job.finished is not None
    )


def progress_of(job: Job) -> Progress:
    """How far a job's attempt has come."""
    return Progress(attempt=job.attempt, done=job.done, found=job.found, counted=_counted(job))


def _counted(job: Job) -> int:
    return 0 if job.counts is None else job.counts.done


def encode_progress(job: Job) -> bytes:
    """The same, as the cache holds it; what workers report stands in the ledger alone."""
    fields: dict[str, Any] = {
        "version": _VERSION,
        "id": job.id,
        "attempt": job.attempt,
        "done": sorted(job.done),
    }
    if counted := _counted(job):
        fields["counted"] = counted
    return canonical_json(fields).encode()


def decode_progress(data: bytes, job: str) -> Progress | None:
    """The progress that `encode_progress` gave, or None if the value is not that of `job`."""

    def read(fields: dict[str, Any]) -> Progress | None:
        if fields["id"] != job:
            return None
        done = frozenset(fields["done"])
        counted = fields.get("counted", 0)
        if any(type(number) is not int or number < 0 for number in (*done, counted)):
            return None
        return Progress(attempt=str(fields["attempt"]), done=done, counted=counted)

    return _decode(data, read)


def _decode(
    data: bytes, read: Callable[[dict[str, Any]], _T | None], *, version: int = _VERSION
) -> _T | None:
    try:
        fields = json.loads(data)
        return read(fields) if fields["version"] == version else None
    except _UNREADABLE:
        return None
