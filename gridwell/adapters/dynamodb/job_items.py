"""A job as a DynamoDB item, in the client's low-level form.  Pure.

What must come back to the last bit never becomes a DynamoDB number, whose 38 digits end at 1e126:
a register is stored as its key, and what its kind keeps of a job as JSON text.  Times are numbers,
as the index and the TTL need them; the digits of `repr` bring the same float back.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gridwell.adapters.dynamodb.items_of_release_0_1 import upgraded
from gridwell.engine.errors import InvalidMessage
from gridwell.engine.job_fields import fields_of, job_of_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gridwell.engine.blocks import TaskCounts
    from gridwell.engine.job import Job, JobError

Item: TypeAlias = dict[str, Any]

#: Values of the index of unfinished jobs: more than one, as one value takes 1,000 writes a second.
SHARDS: Final = ("0", "1", "2", "3")
_JOB: Final = "job#"
_DIGEST: Final = "map_"


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


def digest_attribute(attempt: str, task: int | str) -> str:
    """Return the name of the attribute that holds the digest of a task's stored file.

    It names the attempt, so that none of an earlier one stands in the way of the next one's.
    """
    return f"{_DIGEST}{attempt}_{task}"


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
    permanent = {"permanent": {"BOOL": True}} if error.permanent else {}
    return {"M": {"code": text(error.code), "detail": text(error.detail), **permanent}}


def counts_map(counts: TaskCounts) -> Item:
    """How many tasks ended how."""
    names = type(counts).__dataclass_fields__
    return {"M": {name: number(getattr(counts, name)) for name in names}}


def encode_job(job: Job) -> Item:
    """The item that holds a job; absent attributes stand for their fields' defaults."""
    fields = fields_of(job)
    digests = fields.pop("maps", {})
    item = job_key(job.id) | {name: _attribute(value) for name, value in fields.items()}
    for task, digest in digests.items():
        item[digest_attribute(job.attempt, task)] = binary(bytes.fromhex(digest))
    return item if job.state.terminal else item | {"unfinished": text(_shard(job.id))}


def decode_job(item: Mapping[str, Any]) -> Job:
    """The job that an item holds.

    Raises:
        InvalidMessage: if the item is not one that `encode_job` or a later write made.
    """
    try:
        known = upgraded(item)
        prefix = digest_attribute(known["attempt"]["S"], "")
        fields: dict[str, Any] = {"maps": {}}
        for name, attribute in known.items():
            if name.startswith(prefix):
                fields["maps"][name.removeprefix(prefix)] = bytes(attribute["B"]).hex()
            elif not name.startswith(_DIGEST):  # those of an earlier attempt are forgotten
                fields[name] = _value(attribute)
        return job_of_fields(job_of_key(item), fields)
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        key = item.get("pk", {}).get("S")
        raise InvalidMessage(
            f"the ledger's item {key!r} does not hold a job ({error!r}); it was written by hand or "
            "by another version"
        ) from error


def _attribute(value: Any) -> Item:
    """Return a field's value as an attribute."""
    if isinstance(value, frozenset):
        numbers = all(type(each) is int for each in value)
        return number_set(value) if numbers else text_set(value)
    if isinstance(value, dict):
        return {"M": {name: _attribute(each) for name, each in value.items()}}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, tuple):
        return texts(value)
    return text(value) if isinstance(value, str) else number(value)


def _value(attribute: Mapping[str, Any]) -> Any:
    """Return the value of a field that `_attribute` gave."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return _number(value)
        case "NS":
            return frozenset(map(int, value))
        case "L":
            return tuple(_value(each) for each in value)
        case "M":
            return {name: _value(each) for name, each in value.items()}
    return value


def _number(digits: str) -> float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _shard(job: str) -> str:
    return SHARDS[zlib.crc32(job.encode()) % len(SHARDS)]
