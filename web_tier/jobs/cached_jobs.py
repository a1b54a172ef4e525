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
from gridwell.engine.job import Job, JobError, JobState, job_id
from gridwell.engine.register import Best
from gridwell.kinds.grid.chunking import Chunking
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_VERSION: Final = 1
FINAL_SECONDS: Final = 3600
PROGRESS_SECONDS: Final = 10
_END_OF_TIME: Final = 2.5e11  #: seconds since 1970; calendars end soon afterwards

#: What a value of another version, of somebody else, or cut short may raise while it is read.
_UNREADABLE = (GridwellError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an attempt has come."""

    attempt: str
    points_done: int
    done: frozenset[int]  #: chunks merged
    found: int = 0  #: points of a series

    def joined(self, other: Progress) -> Progress:
        """The further of two looks at the same attempt, whichever came first."""
        further = max(self, other, key=lambda progress: progress.points_done)
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
    fields = {
        "version": _VERSION,
        "id": job.id,
        "client": job.client,
        "problem": job.problem,
        "kind": job.kind,
        "origin": job.grid.origin,
        "spacing": job.grid.spacing,
        "shape": job.grid.shape,
        "atom_count": job.atom_count,
        "seed": job.seed,
        "min_distance": job.min_distance,
        "softening": job.softening,
        "series": None if job.series is None else job.series.encode(),
        "points": [] if job.result is None else job.result.payload,
        "state": job.state.value,
        "attempt": job.attempt,
        "run": job.run,
        "plan": job.plan.encode(),
        "created": job.created,
        "deadline": job.deadline,
        "done": sorted(job.done),
        "workers": sorted(job.workers),
        "maps": sorted(job.digests),
        "result": None if job.result is None else job.result.key,
        "error": None if job.error is None else [job.error.code, job.error.detail],
        "finished": job.finished,
        "expires": job.expires,
    }
    return canonical_json(fields).encode()


def decode_final(data: bytes, job: str) -> Job | None:
    """The finished job that `encode_final` gave, or None if the value is not that of `job`."""

    def read(fields: dict[str, Any]) -> Job | None:
        if fields["id"] != job or not _is_final(fields):
            return None
        found = Job(
            id=job,
            client=fields["client"],
            problem=fields["problem"],
            kind=fields["kind"],
            grid=Grid(tuple(fields["origin"]), tuple(fields["spacing"]), tuple(fields["shape"])),
            atom_count=fields["atom_count"],
            seed=fields["seed"],
            min_distance=fields["min_distance"],
            softening=fields["softening"],
            series=Series.decode(fields.get("series")),
            state=JobState(fields["state"]),
            attempt=fields["attempt"],
            run=fields["run"],
            plan=Chunking.decode(fields["plan"]),
            created=fields["created"],
            deadline=fields["deadline"],
            done=frozenset(fields["done"]),
            workers=frozenset(fields["workers"]),
            digests=frozenset((task, digest) for task, digest in fields.get("maps", ())),
            result=None
            if fields["result"] is None
            else Best(fields["result"], tuple(fields.get("points", ()))),
            error=None if fields["error"] is None else JobError(*fields["error"]),
            finished=fields["finished"],
            expires=fields["expires"],
        )
        return found if found.state.terminal and _agrees(found) else None

    return _decode(data, read)


def _agrees(job: Job) -> bool:
    """Return whether id, client, chunks, plan, grid and result are of one job."""
    return (
        job.id == job_id(job.client, job.problem, job.kind)
        and job.done <= frozenset(range(job.plan.chunks))
        and tuple(cuts[-1] for cuts in job.plan.cuts) == job.grid.shape
        and all(found.index < job.grid.points for found in grid_view(job).answer)
    )


def _is_final(fields: dict[str, Any]) -> bool:
    """Whether the fields are of their types: anything may be found in a cache."""
    times = [fields[name] for name in ("created", "deadline", "finished", "expires")]
    if fields["expires"] is None:
        times.pop()
    numbers = [*times, fields["min_distance"], fields["softening"]]
    numbers += [*_three(fields["origin"]), *_three(fields["spacing"])]
    whole = [fields["atom_count"], fields["run"], *_three(fields["shape"]), *fields["done"]]
    if fields["seed"] is not None:
        whole.append(fields["seed"])
    texts = [fields[name] for name in ("client", "problem", "kind", "attempt")]
    texts += [*fields["workers"], *(fields["error"] or ())]
    return (
        all(type(number) in (int, float) for number in numbers)
        and all(type(number) is int for number in whole)
        and all(type(text) is str for text in texts)
        and all(0 <= time < _END_OF_TIME for time in times)
    )


def _three(values: Any) -> tuple[Any, Any, Any]:
    x, y, z = values
    return x, y, z


def progress_of(job: Job) -> Progress:
    """How far a job's attempt has come."""
    view = grid_view(job)
    return Progress(
        attempt=job.attempt, points_done=view.points_done, done=job.done, found=view.found
    )


def encode_progress(job: Job) -> bytes:
    """The same, as the cache holds it; how far a series is stands in the ledger alone."""
    fields = {
        "version": _VERSION,
        "id": job.id,
        "attempt": job.attempt,
        "points_done": grid_view(job).points_done,
        "done": sorted(job.done),
    }
    return canonical_json(fields).encode()


def decode_progress(data: bytes, job: str) -> Progress | None:
    """The progress that `encode_progress` gave, or None if the value is not that of `job`."""

    def read(fields: dict[str, Any]) -> Progress | None:
        if fields["id"] != job:
            return None
        return Progress(
            attempt=str(fields["attempt"]),
            points_done=int(fields["points_done"]),
            done=frozenset(fields["done"]),
        )

    return _decode(data, read)


def _decode(data: bytes, read: Callable[[dict[str, Any]], _T | None]) -> _T | None:
    try:
        fields = json.loads(data)
        return read(fields) if fields["version"] == _VERSION else None
    except _UNREADABLE:
        return None
