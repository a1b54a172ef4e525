"""States of tasks in blocks, in items of their own.

An item holds three sets of runs of offsets.  It is changed by ADD alone, without a condition and
without a read, so any number of collectors may write it in any order.  TTL removes it after its
job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.adapters.dynamodb.job_items import explained, number, text
from gridwell.engine.blocks import Block, Blocks
from gridwell.engine.errors import InvalidMessage
from gridwell.engine.task_set import TaskSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gridwell.adapters.dynamodb.job_items import Item
    from gridwell.adapters.dynamodb.table import Table

_SETS: Final = ("done", "failed", "cancelled")


class BlockItems:
    """The items of blocks of tasks.

    Args:
        table: the ledger's.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def settle(
        self,
        job: str,
        attempt: str,
        blocks: Blocks,
        sets: Mapping[str, TaskSet],
        *,
        expires: float,
    ) -> tuple[Block, ...]:
        """See `gridwell.engine.ports.JobLedger.settle`.

        Args:
            job: the job.
            attempt: of the job.
            blocks: how its tasks lie in blocks.
            sets: what is added to which set, by the set's name.
            expires: when the items may be removed.
        """
        by_block: dict[int, dict[str, TaskSet]] = {}
        for name, tasks in sets.items():
            for block, offsets in blocks.split(tasks).items():
                by_block.setdefault(block, {})[name] = offsets
        settled = []
        for block, added in sorted(by_block.items()):
            change = ", ".join(f"#{name} :{name}" for name in added)
            _, item = self._table.update(
                _key(job, attempt, block),
                f"ADD {change} SET #expires = :expires",
                None,
                {name: {"SS": list(offsets.texts())} for name, offsets in added.items()}
                | {"expires": number(expires)},
            )
            settled.append(_decoded(item or {}, block, blocks))
        return tuple(settled)

    def read(
        self, job: str, attempt: str, blocks: Blocks, numbers: Iterable[int] | None
    ) -> tuple[Block, ...]:
        """See `gridwell.engine.ports.JobLedger.read_blocks`."""
        wanted = sorted(range(len(blocks)) if numbers is None else set(numbers))
        items = self._table.get_many(_key(job, attempt, block) for block in wanted)
        found = {item["pk"]["S"].rpartition("#")[2]: item for item in items}
        return tuple(_decoded(found.get(str(block), {}), block, blocks) for block in wanted)


def _key(job: str, attempt: str, block: int) -> Item:
    return {"pk": text(f"block#{job}#{attempt}#{block}")}


def _decoded(item: Mapping[str, Any], block: int, blocks: Blocks) -> Block:
    """Return what an item holds; one without attributes is a block that was never written."""
    tasks = blocks.tasks_of(block)
    with explained(item):
        sets = {name: TaskSet.read(item[name]["SS"]) for name in _SETS if name in item}
    if any(each.stop > tasks for each in sets.values()):
        raise InvalidMessage(
            f"the ledger's item {item['pk']['S']!r} holds tasks beyond its {tasks}; it was written "
            "by hand or by another version"
        )
    return Block(number=block, tasks=tasks, **sets)
