"""Blocks: consecutive tasks of a job whose states share one item of the ledger.  Pure.

The size of a block is recorded in the job when it is made and read from there ever after, so that
releases with different sizes write the same items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.task_set import NO_TASKS, TaskSet

if TYPE_CHECKING:
    from collections.abc import Iterable

IN_ITEM: Final = 256  #: tasks of a job whose states lie in the job's own item, at most
BLOCK: Final = 1_000  #: tasks of a block, in jobs that are made from now on


def block_size(tasks: int) -> int:
    """Return the tasks of a block in a new job of so many; 0: their states lie in its item."""
    return BLOCK if tasks > IN_ITEM else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCounts:
    """Numbers of tasks by their state."""

    total: int
    done: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def left(self) -> int:
        """The tasks that have not come to an end."""
        return self.total - self.done - self.failed - self.cancelled

    def __add__(self, other: TaskCounts) -> TaskCounts:
        return TaskCounts(
            total=self.total + other.total,
            done=self.done + other.done,
            failed=self.failed + other.failed,
            cancelled=self.cancelled + other.cancelled,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStates:
    """The states of some tasks: three sets that only grow.

    A task that is in several of them is done, or else failed: a late success is a success.

    Args:
        tasks: how many there are, numbered from 0.
        done: computed with success.
        failed: computed without.
        cancelled: not to be computed any more.
    """

    tasks: int
    done: TaskSet = NO_TASKS
    failed: TaskSet = NO_TASKS
    cancelled: TaskSet = NO_TASKS

    @property
    def missing(self) -> TaskSet:
        """The tasks that have not come to an end."""
        ended = TaskSet.union((self.done, self.failed, self.cancelled))
        return TaskSet.span(0, self.tasks) - ended

    @property
    def settled(self) -> bool:
        """True if every task has come to an end."""
        return not self.missing

    @property
    def counts(self) -> TaskCounts:
        """The numbers of tasks by their state; each task counts once."""
        failed = self.failed - self.done
        return TaskCounts(
            total=self.tasks,
            done=len(self.done),
            failed=len(failed),
            cancelled=len(self.cancelled - self.done - failed),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(TaskStates):
    """The states of the tasks of one block, by their offsets in it."""

    number: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """The layout of a job's tasks in blocks.

    Args:
        tasks: of the job.
        size: tasks of each block but the last, which may have fewer.
    """

    tasks: int
    size: int

    def __len__(self) -> int:
        return (self.tasks + self.size - 1) // self.size

    def tasks_of(self, number: int) -> int:
        """Return how many tasks a block has."""
        return min(self.size, self.tasks - number * self.size)

    def all_of(self, number: int) -> TaskSet:
        """Return the tasks of a block."""
        first = number * self.size
        return TaskSet.span(first, first + self.tasks_of(number))

    def split(self, tasks: TaskSet) -> dict[int, TaskSet]:
        """Return the offsets of tasks in each block that they touch, by the block's number."""
        found: dict[int, list[tuple[int, int]]] = {}
        for first, stop in tasks.runs:
            for number in range(first // self.size, (stop - 1) // self.size + 1):
                start = number * self.size
                run = max(first, start) - start, min(stop - start, self.size)
                found.setdefault(number, []).append(run)
        return {number: TaskSet(tuple(runs)) for number, runs in found.items()}

    def joined(self, blocks: Iterable[Block]) -> TaskStates:
        """Return the states of the job's tasks, of some of its blocks."""
        known = list(blocks)
        return TaskStates(
            tasks=self.tasks,
            done=self._numbered((each.number, each.done) for each in known),
            failed=self._numbered((each.number, each.failed) for each in known),
            cancelled=self._numbered((each.number, each.cancelled) for each in known),
        )

    def _numbered(self, offsets: Iterable[tuple[int, TaskSet]]) -> TaskSet:
        return TaskSet.union(each.shifted(number * self.size) for number, each in offsets)
