"""A job as named values, for every store that keeps jobs.  Pure.

The ledger's items and the cache hold the same fields, each in its own container.  Values are text,
whole numbers, floats, sets of whole numbers or of text, tuples of text, and maps of these.  A
field that is not there stands for its default.
"""

from __future__ import annotations

import json
import math
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.blocks import TaskCounts
from gridwell.engine.job import Job, JobError, JobState
from gridwell.engine.register import Best
from gridwell.engine.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def fields_of(job: Job) -> dict[str, Any]:
    """Return the fields of a job but for its id."""
    register = job.result or job.best
    special: dict[str, Any] = {
        "detail": json.dumps(job.detail, separators=(",", ":"), allow_nan=False),
        "best": None if job.best is None else job.best.key,
        "best_by": None if job.best is None else job.best.by,
        "result": None if job.result is None else job.result.key,
        "points": () if register is None else register.payload,
        "opinions": frozenset(each.encode() for each in job.replicas),
        "maps": {str(task): digest for task, digest in sorted(job.digests)},
        "error": None if job.error is None else _error_fields(job.error),
        "counts": None if job.counts is None else _counts_fields(job.counts),
    }
    plain = {
        name: getattr(job, field)
        for field, name, _ in _FIELDS
        if field in _ALWAYS or getattr(job, field) != _DEFAULTS[field]
    }
    return plain | {name: value for name, value in special.items() if value or value == ""}


def job_of_fields(job: str, fields: Mapping[str, Any]) -> Job:
    """Return the job that has these fields.

    Args:
        job: its id.
        fields: as `fields_of` gave them; sets may be lists.

    Raises:
        KeyError, TypeError, ValueError: if they are not those of a job.
    """
    plain = {field: read(fields[name]) for field, name, read in _FIELDS if name in fields}
    detail = json.loads(_text(fields["detail"]))
    if not isinstance(detail, dict):
        raise TypeError(f"the detail {fields['detail']!r} is no object of JSON")
    payload = tuple(map(_text, fields.get("points", ())))
    by = _text(fields["best_by"]) if "best_by" in fields else None
    digests = dict(fields.get("maps", {}))
    return Job(
        id=job,
        detail=detail,
        best=Best(_text(fields["best"]), payload, by) if "best" in fields else None,
        result=Best(_text(fields["result"]), payload) if "result" in fields else None,
        replicas=frozenset(map(Replica.decode, fields.get("opinions", ()))),
        digests=frozenset((int(task), _text(digest)) for task, digest in digests.items()),
        error=_error(fields["error"]) if "error" in fields else None,
        counts=_counts(fields["counts"]) if "counts" in fields else None,
        **plain,
    )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r} is not text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _time(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _wholes(values: Iterable[Any]) -> frozenset[int]:
    return frozenset(map(_whole, values))


def _texts(values: Iterable[Any]) -> frozenset[str]:
    return frozenset(map(_text, values))


def _error_fields(error: JobError) -> dict[str, Any]:
    permanent = {"permanent": True} if error.permanent else {}
    return {"code": error.code, "detail": error.detail, **permanent}


def _error(fields: Mapping[str, Any]) -> JobError:
    code, detail = _text(fields["code"]), _text(fields["detail"])
    return JobError(code, detail, permanent=fields.get("permanent") is True)


def _counts_fields(counts: TaskCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in TaskCounts.__dataclass_fields__}


def _counts(fields: Mapping[str, Any]) -> TaskCounts:
    return TaskCounts(**{name: _whole(fields[name]) for name in TaskCounts.__dataclass_fields__})


#: Fields of `Job` with the names under which stores keep them, and what reads them.
_FIELDS: Final[tuple[tuple[str, str, Callable[[Any], Any]], ...]] = (
    ("client", "client", _text),
    ("spec", "problem", _text),
    ("kind", "kind", _text),
    ("tasks", "n", _whole),
    ("plan", "plan", _text),
    ("state", "state", JobState),
    ("attempt", "attempt", _text),
    ("run", "run", _whole),
    ("created", "created", _time),
    ("deadline", "deadline", _time),
    ("done", "done", _wholes),
    ("workers", "workers", _texts),
    ("credits", "credits", _wholes),
    ("refusals", "refusals", _whole),
    ("sent_at", "sent_at", _time),
    ("resend_at", "resend_at", _time),
    ("resends", "resends", _whole),
    ("moved", "moved", _time),
    ("finished", "finished", _time),
    ("expires", "expires", _time),
    ("block", "block", _whole),
    ("full", "full", _wholes),
    ("failed", "failed", _wholes),
)
_DEFAULTS: Final = {
    field: None if each.default is MISSING else each.default
    for field, each in Job.__dataclass_fields__.items()
}
_ALWAYS: Final = frozenset({"run", "resends"})  #: which are stored although they are the default
