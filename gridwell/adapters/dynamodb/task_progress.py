"""How far workers are with series, in items of their own.

Workers change no job, and the stack's template lets them write nothing but their own heartbeat and
keys that begin with ``worker#series#``.  TTL removes these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.adapters.dynamodb.job_items import explained, number, text
from gridwell.engine.job import expiry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.adapters.dynamodb.job_items import Item
    from gridwell.adapters.dynamodb.table import Table

_HIGHER: Final = "attribute_not_exists(#pk) OR #found < :found"


class FoundItems:
    """The items of attempts at series.

    Args:
        table: the ledger's.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def tell(self, job: str, attempt: str, found: int, *, now: float) -> None:
        """See `gridwell.engine.ports.JobLedger.report_progress`."""
        item = {**found_key(job, attempt), "found": number(found), "expires": number(expiry(now))}
        self._table.put(item, _HIGHER, {"found": number(found)})

    def read(self, attempts: Mapping[str, str]) -> dict[str, int]:
        """See `gridwell.engine.ports.JobLedger.read_progress`."""
        found = {}
        for item in self._table.get_many(found_key(*pair) for pair in attempts.items()):
            with explained(item):
                found[item["pk"]["S"].split("#")[2]] = int(item["found"]["N"])
        return found


def found_key(job: str, attempt: str) -> Item:
    """The key of an attempt's item."""
    return {"pk": text(f"worker#series#{job}#{attempt}")}
