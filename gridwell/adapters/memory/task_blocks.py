"""States of tasks in blocks, in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gridwell.engine.blocks import Block, Blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gridwell.engine.task_set import TaskSet


class MemoryBlocks:
    """The blocks of all attempts; not safe for threads by itself."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, str, int], Block] = {}

    def settle(
        self, job: str, attempt: str, blocks: Blocks, sets: Mapping[str, TaskSet]
    ) -> tuple[Block, ...]:
        """Add tasks to the sets of these names; see `gridwell.engine.ports.JobLedger.settle`."""
        touched = set()
        for name, tasks in sets.items():
            for number, offsets in blocks.split(tasks).items():
                stored = self._block(job, attempt, blocks, number)
                grown = replace(stored, **{name: getattr(stored, name) | offsets})
                self._blocks[job, attempt, number] = grown
                touched.add(number)
        return self.read(job, attempt, blocks, touched)

    def read(
        self, job: str, attempt: str, blocks: Blocks, numbers: Iterable[int] | None
    ) -> tuple[Block, ...]:
        """See `gridwell.engine.ports.JobLedger.read_blocks`."""
        wanted = range(len(blocks)) if numbers is None else set(numbers)
        return tuple(self._block(job, attempt, blocks, number) for number in sorted(wanted))

    def _block(self, job: str, attempt: str, blocks: Blocks, number: int) -> Block:
        known = self._blocks.get((job, attempt, number))
        return known or Block(number=number, tasks=blocks.tasks_of(number))
