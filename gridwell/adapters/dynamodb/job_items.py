"""A job as a DynamoDB item, in the client's low-level form.  Pure.

What must come back to the last bit never becomes a DynamoDB number, whose 38 digits end at 1e126:
minima are stored as their key, the grid and the options as JSON text.  Times are numbers, as the
index and the TTL need them; the digits of `repr` bring the same float back.
"""

from __future__ import annotations

import json
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gridwell.engine.blocks import TaskCounts
from gridwell.engine.errors import GridwellError, InvalidMessage
from gridwell.engine.job import Job, JobError, JobState
from gridwell.engine.messages import MINIMUM_KIND
from gridwell.engine.register import Best
from gridwell.engine.replica import Replica
from gridwell.kinds.grid.chunking import Chunking
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Item: TypeAlias = dict[str, Any]

#: Values of the index of unfinished jobs: more than one, as one value takes 1,000 writes a second.
SHARDS: Final = ("0", "1", "2", "3")
_JOB: Final = "job#"


def job_key(job: str) -> Item:
    """The key of a job's item."""
    return {"pk": text(_JOB + job)}


def job_of_key(item: Mapping[str, Any]) -> str:
    """The id of the job with this key."""
    return str(item["pk"]["S"]).removeprefix(_JOB)


def text(value: str) -> Item:
    """A string."""
    return {"S": value}


def binary(value: bytes) -> Item:
    """Return bytes as an attribute's value."""
    return {"B": value}


def digest_attribute(attempt: str, task: int) -> str:
    """Return the name of the attribute that holds the digest of a task's stored file.

    It names the attempt, so that none of an earlier one stands in the way of the next one's.
    """
    return f"map_{attempt}_{task}"


def number(value: float) -> Item:
    """A number; whole ones without a point, as TTL wants them."""
    whole = isinstance(value, int) or value.is_integer()
    return {"N": str(int(value)) if whole else repr(value)}


@contextmanager
def explained(item: Mapping[str, Any]) -> Iterator[None]:
    """Tell which item cannot be read.

    Raises:
        InvalidMessage: if reading it fails inside of this.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidMessage(
            f"the ledger's item {item['pk']['S']!r} cannot be read ({error!r}); it was written by "
            "hand or by another version"
        ) from error


def number_set(numbers: frozenset[int]) -> Item:
    """A set of whole numbers: at least one, as DynamoDB has no empty sets."""
    return {"NS": [str(each) for each in sorted(numbers)]}


def text_set(values: frozenset[str]) -> Item:
    """A set of strings: at least one."""
    return {"SS": sorted(values)}


def texts(values: Iterable[str]) -> Item:
    """Strings in their order, which no set of them would keep."""
    return {"L": [text(value) for value in values]}


def error_map(error: JobError) -> Item:
    """Why a job failed."""
    return {"M": {"code": text(error.code), "detail": text(error.detail)}}


def counts_map(counts: TaskCounts) -> Item:
    """How many tasks ended how."""
    names = TaskCounts.__dataclass_fields__
    return {"M": {name: number(getattr(counts, name)) for name in names}}


def encode_job(job: Job) -> Item:
    """The item that holds a job; absent attributes stand for None, the empty set and 0 resends."""
    register = job.result or job.best
    payload = () if register is None else register.payload
    grid = [job.grid.origin, job.grid.spacing, job.grid.shape]
    item = {
        **job_key(job.id),
        "client": text(job.client),
        "problem": text(job.problem),
        "kind": text(job.kind),
        "grid": text(_json(grid)),
        "options": text(_json([job.min_distance, job.softening])),
        "atom_count": number(job.atom_count),
        "state": text(job.state),
        "attempt": text(job.attempt),
        "run": number(job.run),
        "plan": text(_json(job.plan.encode())),
        "n": number(job.plan.chunks),
        "created": number(job.created),
        "deadline": number(job.deadline),
        "resends": number(job.resends),
    }
    optional = {
        "seed": None if job.seed is None else number(job.seed),
        "done": number_set(job.done) if job.done else None,
        "best": None if job.best is None else text(job.best.key),
        "best_by": None if job.best is None or job.best.by is None else text(job.best.by),
        "workers": text_set(job.workers) if job.workers else None,
        **{
            digest_attribute(job.attempt, task): binary(bytes.fromhex(digest))
            for task, digest in job.digests
        },
        "opinions": text_set(frozenset(each.encode() for each in job.replicas))
        if job.replicas
        else None,
        "credits": number_set(job.credits) if job.credits else None,
        "refusals": number(job.refusals) if job.refusals else None,
        "result": None if job.result is None else text(job.result.key),
        "error": None if job.error is None else error_map(job.error),
        "series": None if job.series is None else text(_json(job.series.encode())),
        "points": texts(payload) if payload else None,
        "unfinished": None if job.state.terminal else text(_shard(job.id)),
        "block": None if job.block is None else number(job.block),
        "full": number_set(job.full) if job.full else None,
        "failed": number_set(job.failed) if job.failed else None,
        "counts": None if job.counts is None else counts_map(job.counts),
        **{name: _time(getattr(job, name)) for name in _OPTIONAL_TIMES},
    }
    return item | {name: value for name, value in optional.items() if value is not None}


def decode_job(item: Mapping[str, Any]) -> Job:
    """The job that an item holds.

    Raises:
        InvalidMessage: if the item is not one that `encode_job` or a later write made.
    """
    try:
        return _decoded(item)
    except (KeyError, TypeError, ValueError, GridwellError) as error:
        key = item.get("pk", {}).get("S")
        raise InvalidMessage(
            f"the ledger's item {key!r} does not hold a job ({error!r}); it was written by hand or "
            "by another version"
        ) from error


_OPTIONAL_TIMES: Final = ("sent_at", "resend_at", "moved", "finished", "expires")


def _decoded(item: Mapping[str, Any]) -> Job:
    origin, spacing, shape = json.loads(item["grid"]["S"])
    min_distance, softening = json.loads(item["options"]["S"])
    error = item.get("error", {}).get("M")
    payload = tuple(each["S"] for each in item.get("points", {}).get("L", ()))
    return Job(
        id=job_of_key(item),
        client=item["client"]["S"],
        problem=item["problem"]["S"],
        # Older releases knew one kind, and did not write it down.
        kind=item["kind"]["S"] if "kind" in item else MINIMUM_KIND,
        grid=Grid(tuple(origin), tuple(spacing), tuple(shape)),
        atom_count=int(item["atom_count"]["N"]),
        seed=int(item["seed"]["N"]) if "seed" in item else None,
        min_distance=min_distance,
        softening=softening,
        state=JobState(item["state"]["S"]),
        attempt=item["attempt"]["S"],
        run=int(item["run"]["N"]),
        plan=Chunking.decode(json.loads(item["plan"]["S"])),
        created=float(item["created"]["N"]),
        deadline=float(item["deadline"]["N"]),
        done=frozenset(int(chunk) for chunk in item.get("done", {}).get("NS", ())),
        best=_register(item, "best", payload, item.get("best_by", {}).get("S")),
        workers=frozenset(item.get("workers", {}).get("SS", ())),
        digests=frozenset(_digests(item)),
        replicas=frozenset(map(Replica.decode, item.get("opinions", {}).get("SS", ()))),
        credits=frozenset(int(each) for each in item.get("credits", {}).get("NS", ())),
        refusals=int(item.get("refusals", {}).get("N", "0")),
        resends=int(item["resends"]["N"]),
        result=_register(item, "result", payload),
        series=Series.decode(json.loads(item["series"]["S"])) if "series" in item else None,
        reported=0,  # kept apart: `gridwell.adapters.dynamodb.task_progress`
        error=JobError(error["code"]["S"], error["detail"]["S"]) if error else None,
        block=int(item["block"]["N"]) if "block" in item else None,
        full=frozenset(int(each) for each in item.get("full", {}).get("NS", ())),
        failed=frozenset(int(each) for each in item.get("failed", {}).get("NS", ())),
        counts=_counts(item["counts"]["M"]) if "counts" in item else None,
        **{name: float(item[name]["N"]) for name in _OPTIONAL_TIMES if name in item},
    )


def _counts(value: Mapping[str, Any]) -> TaskCounts:
    return TaskCounts(**{name: int(value[name]["N"]) for name in TaskCounts.__dataclass_fields__})


def _digests(item: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    prefix = digest_attribute(item["attempt"]["S"], 0)[:-1]
    for name, value in item.items():
        if name.startswith(prefix):
            yield int(name.removeprefix(prefix)), bytes(value["B"]).hex()


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _register(
    item: Mapping[str, Any], name: str, payload: tuple[str, ...], by: str | None = None
) -> Best | None:
    return Best(item[name]["S"], payload, by) if name in item else None


def _shard(job: str) -> str:
    return SHARDS[zlib.crc32(job.encode()) % len(SHARDS)]


def _time(value: float | None) -> Item | None:
    return None if value is None else number(value)
