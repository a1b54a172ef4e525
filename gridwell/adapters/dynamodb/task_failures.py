"""Failed tries of chunks, in items of their own.

Inside the job's item each of them would make every later write of the job dearer; here one costs a
single unit, and TTL removes it with its job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.dynamodb.job_items import number, number_set, text
from gridwell.engine.errors import InvalidMessage, ServiceBusy
from gridwell.engine.job import expiry
from gridwell.engine.task_failure import ChunkFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.adapters.dynamodb.job_items import Item
    from gridwell.adapters.dynamodb.table import Table

_SAID: Final = "SET #worker = :worker, #code = :code, #text = :text, #at = :at, #expires = :expires"
_ALIKE: Final = f"{_SAID} ADD #tries :tries, #alike :tries, #by :by, #alike_by :by"
_ALIKE_IF: Final = "attribute_not_exists(#pk) OR (#code = :code AND #text = :text)"
_UNLIKE: Final = f"{_SAID}, #alike = :tries, #alike_by = :by ADD #tries :tries, #by :by"
_UNLIKE_IF: Final = "attribute_exists(#pk) AND (#code <> :code OR #text <> :text)"
_ROUNDS: Final = 4


class FailureItems:
    """The items of chunks that failed.

    Args:
        table: the ledger's.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def record(self, failure: ChunkFailure) -> ChunkFailure:
        """See `gridwell.engine.ports.JobLedger.record_failure`."""
        key = _key(failure.job, failure.attempt, failure.chunk)
        values = {
            "worker": text(failure.worker),
            "code": text(failure.code),
            "text": text(failure.text),
            "at": number(failure.at),
            "expires": number(expiry(failure.at)),
            "tries": number_set(failure.tries),
            "by": {"SS": sorted(failure.workers)},
        }
        for _ in range(_ROUNDS):
            # One of the two holds, unless another collector's report comes in between.
            for change, condition in ((_ALIKE, _ALIKE_IF), (_UNLIKE, _UNLIKE_IF)):
                recorded, item = self._table.update(key, change, condition, values)
                if recorded and item is not None:
                    return _decoded(item)
        raise ServiceBusy(f"the failures of chunk {failure.chunk} of {failure.job} change too fast")

    def read(self, job: str, attempt: str, chunk: int) -> ChunkFailure | None:
        """See `gridwell.engine.ports.JobLedger.read_failure`."""
        item = self._table.get(_key(job, attempt, chunk))
        return None if item is None else _decoded(item)


def _key(job: str, attempt: str, chunk: int) -> Item:
    return {"pk": text(f"failure#{job}#{attempt}#{chunk}")}


def _decoded(item: Mapping[str, Any]) -> ChunkFailure:
    pk = item["pk"]["S"]
    try:
        _, job, attempt, chunk = pk.split("#")
        return ChunkFailure(
            job=job,
            attempt=attempt,
            chunk=int(chunk),
            worker=item["worker"]["S"],
            code=item["code"]["S"],
            text=item["text"]["S"],
            at=float(item["at"]["N"]),
            tries=frozenset(map(int, item["tries"]["NS"])),
            alike=frozenset(map(int, item["alike"]["NS"])),
            # An item of an earlier release names only the last worker.
            workers=frozenset(item.get("by", {}).get("SS", ())),
            alike_workers=frozenset(item.get("alike_by", {}).get("SS", ())),
        )
    except (KeyError, ValueError) as error:
        raise InvalidMessage(
            f"the ledger's item {pk!r} does not hold a failure ({error!r}); it was written by hand "
            "or by another version"
        ) from error
