"""Workers whose reports were proved wrong: an item each, that TTL removes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.adapters.dynamodb.job_items import explained, number, text, text_set
from gridwell.engine.job import expiry
from gridwell.engine.task_failure import Suspect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.adapters.dynamodb.job_items import Item
    from gridwell.adapters.dynamodb.table import Table

_PREFIX: Final = "suspect#"
_RECORD: Final = (
    "SET #job = :job, #why = :why, #at = :at, #expires = :expires ADD #attempts :attempts"
)


class SuspectItems:
    """The items of suspect workers.

    Args:
        table: the ledger's.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def record(self, suspect: Suspect) -> None:
        """See `gridwell.engine.ports.JobLedger.record_suspect`."""
        values = {
            "job": text(suspect.job),
            "why": text(suspect.why),
            "at": number(suspect.at),
            "expires": number(expiry(suspect.at)),
            "attempts": text_set(suspect.attempts),
        }
        self._table.update(_key(suspect.worker), _RECORD, None, values)

    def read(self, workers: Iterable[str]) -> dict[str, Suspect]:
        """See `gridwell.fleet.ports.FleetLedger.suspects`."""
        found: dict[str, Suspect] = {}
        for item in self._table.get_many(map(_key, workers)):
            with explained(item):
                worker = item["pk"]["S"].removeprefix(_PREFIX)
                found[worker] = Suspect(
                    worker=worker,
                    attempts=frozenset(item["attempts"]["SS"]),
                    job=item["job"]["S"],
                    why=item["why"]["S"],
                    at=float(item["at"]["N"]),
                )
        return found


def _key(worker: str) -> Item:
    return {"pk": text(_PREFIX + worker)}
