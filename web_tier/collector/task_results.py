"""Results that have a row for each of their tasks.

The order is: the rows, the blocks, the job, the cache, and at last the messages are deleted.  Each
step may be made again by any collector, and dying in between leaves what the next one completes:
rows are stored under the hash of what they are, blocks and job take unions.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.blocks import TaskCounts
from gridwell.engine.count_tasks import task_states
from gridwell.engine.job import TASKS_FAILED, JobError, expiry
from gridwell.engine.messages import ChunkMessage, ErrorMessage, RowsMessage
from gridwell.engine.object_keys import rows_object
from gridwell.engine.rows import Row, encode_segment, outcome
from gridwell.engine.stored_objects import calls_about
from gridwell.engine.task_set import NO_TASKS, TaskSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.engine.blocks import Block
    from gridwell.engine.job import Job
    from gridwell.engine.messages import Report
    from gridwell.engine.ports import Clock, JobLedger, ObjectStore

LOST: Final = "lost"  #: the reason of a task whose workers ended without a report of it
COUNT_SECONDS: Final = 5.0  #: between two reads of all blocks of a job, to count its tasks
_KNOWN: Final = 100  #: attempts whose blocks are remembered, to count them without a read


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """The rows of several results of one attempt, and the tasks that they settle."""

    segment: bytes  #: their rows, as they are stored
    done: TaskSet
    failed: TaskSet  #: without those that are done too
    workers: frozenset[str]


def flush(messages: Sequence[RowsMessage]) -> Flush:
    """Join results of one attempt: in any order and however often they came, the same.

    Args:
        messages: at least one.
    """
    rows = [row for message in messages for row in message.rows]
    done, failed = outcome(rows)
    return Flush(
        segment=encode_segment(rows),
        done=done,
        failed=failed,
        workers=frozenset(message.worker for message in messages),
    )


def misfit(message: Report, job: Job) -> str | None:
    """Return why a report cannot be of a job, by its rows and the tasks that it names."""
    if isinstance(message, RowsMessage):
        if not job.has_rows:
            return f"rows of tasks, and a job of kind {job.kind!r}, whose tasks leave none"
    elif job.has_rows and not isinstance(message, ErrorMessage):
        return f"a result without rows, and a job of kind {job.kind!r}, whose tasks leave them"
    run = run_of(message)
    if run is not None and TaskSet.parse(run).stop > job.tasks:
        return f"a report of tasks {run}, the job has {job.tasks}"
    return None


def run_of(message: Report) -> str | None:
    """Return the run of the chunk that a report is of, where that has several tasks."""
    if isinstance(message, RowsMessage):
        return message.whole_chunk
    return message.tasks if isinstance(message, ErrorMessage) else None


def tasks_of(message: ChunkMessage | Report) -> TaskSet:
    """Return the tasks of the chunk that a message is of."""
    run = message.tasks if isinstance(message, ChunkMessage) else run_of(message)
    return TaskSet.parse(str(message.chunk) if run is None else run)


def is_missing(ledger: JobLedger, job: Job, tasks: TaskSet) -> bool:
    """Return whether any of some tasks of a job has not come to an end."""
    if job.blocks is None:
        return bool(tasks - TaskSet.of(job.done | job.failed))
    numbers = job.blocks.split(tasks)
    states = job.blocks.joined(ledger.read_blocks(job.id, job.attempt, job.blocks, numbers))
    return bool(tasks & states.missing)


def settle_again(ledger: JobLedger, job: Job, *, now: float) -> Job | None:
    """Record blocks that are settled and not recorded so: a collector died in between.

    Returns:
        The job after that; None if there was nothing to record, or its attempt has ended.
    """
    if job.blocks is None:
        return None
    unknown = [number for number in range(len(job.blocks)) if number not in job.full]
    found = ledger.read_blocks(job.id, job.attempt, job.blocks, unknown)
    full = frozenset(block.number for block in found if block.settled)
    if not full:
        return None
    return ledger.record_tasks(job.id, job.attempt, workers=job.workers, now=now, full=full)


def end_tasks(ledger: JobLedger, job: Job, *, now: float) -> bool:
    """Close a job whose every task came to an end: done, or failed with how many were not.

    Returns:
        Whether this call or an earlier one closed it.  False: it was ended otherwise, or a task
        succeeded late; then the next look at the job ends it.
    """
    states = task_states(ledger, job)
    if not states.settled:
        return False
    return ledger.finish_tasks(job, states.counts, now=now, error=end_of(states.counts))


def end_of(counts: TaskCounts) -> JobError | None:
    """Return why a job whose every task came to an end failed; None: it is done."""
    if not counts.failed + counts.cancelled:
        return None
    kinds = {"failed": counts.failed, "were cancelled": counts.cancelled}
    said = " and ".join(f"{count:,} {what}" for what, count in kinds.items() if count)
    first, _, rest = said.partition(" ")
    return JobError(
        TASKS_FAILED,
        f"{first} of {counts.total:,} tasks {rest}; their rows say why; submit the job again to "
        "compute it once more",
    )


class TaskResults:
    """Merges results that have rows.

    Args:
        ledger: of jobs.
        store: keeps the rows.
        clock: the services' time.
    """

    def __init__(self, *, ledger: JobLedger, store: ObjectStore, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, dict[int, TaskCounts]]] = OrderedDict()

    def collect(self, job: Job, messages: Sequence[RowsMessage]) -> Job | None:
        """Keep the rows of results of one attempt, then settle their tasks.

        Args:
            job: of that attempt.
            messages: that fit the job; at least one.

        Returns:
            The job after that; None if there is no unfinished job of this attempt.
        """
        return self._settle(job, flush(messages))

    def give_up(self, job: Job, tasks: TaskSet) -> Job | None:
        """Let tasks of an attempt fail that workers took again and again and never reported.

        Args:
            job: of that attempt.
            tasks: of which those that have come to an end stay as they are.

        Returns:
            The job after that; None if there is no unfinished job of this attempt.
        """
        lost = tasks & task_states(self._ledger, job).missing
        rows = [Row(task=task, exit=1, reason=LOST) for task in lost]
        segment = encode_segment(rows)
        return self._settle(
            job, Flush(segment=segment, done=NO_TASKS, failed=lost, workers=frozenset())
        )

    def _settle(self, job: Job, joined: Flush) -> Job | None:
        """Keep rows, settle their tasks, and record that in the job: in this order."""
        key = rows_object(job.id, job.attempt, hashlib.sha256(joined.segment).hexdigest())
        with calls_about(key):
            self._store.put_new(key, joined.segment, content_type="application/jsonl")
        blocks = job.blocks
        if blocks is None:
            return self._ledger.record_tasks(
                job.id,
                job.attempt,
                workers=joined.workers,
                now=self._clock.now(),
                done=frozenset(joined.done),
                failed=frozenset(joined.failed),
            )
        settled = self._ledger.settle(
            job.id,
            job.attempt,
            blocks,
            joined.done,
            joined.failed,
            expires=expiry(job.deadline),
        )
        return self._ledger.record_tasks(
            job.id,
            job.attempt,
            workers=joined.workers,
            now=self._clock.now(),
            full=frozenset(block.number for block in settled if block.settled),
            counts=self._counts(job, settled),
        )

    def _counts(self, job: Job, settled: Sequence[Block]) -> TaskCounts:
        """Return how far a job is: a hint, of all blocks as read lately and of those just settled.

        Blocks are read once in some seconds, as other collectors settle some of them too.
        """
        assert job.blocks is not None  # noqa: S101 - only called for these
        now = self._clock.monotonic()
        read_at, seen = self._seen.get(job.attempt, (float("-inf"), {}))
        if now - read_at >= COUNT_SECONDS:
            read_at = now
            read = self._ledger.read_blocks(job.id, job.attempt, job.blocks)
            seen = {block.number: block.counts for block in read}
        seen |= {block.number: block.counts for block in settled}
        self._seen[job.attempt] = read_at, seen
        self._seen.move_to_end(job.attempt)
        while len(self._seen) > _KNOWN:
            self._seen.popitem(last=False)
        return sum(seen.values(), TaskCounts(total=0))
