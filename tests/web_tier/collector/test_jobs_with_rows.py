"""Jobs whose tasks leave rows, through the real collector, reconciler and dead letters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.adapters.memory import (
    ManualClock,
    MemoryCache,
    MemoryLedger,
    MemoryQueue,
    MemoryStore,
)
from gridwell.engine.blocks import TaskCounts
from gridwell.engine.count_tasks import count_tasks, missing_tasks
from gridwell.engine.job import DEADLINE_EXCEEDED, JobState
from gridwell.engine.messages import ChunkMessage, ErrorMessage, RowsMessage
from gridwell.engine.rows import Row
from gridwell.engine.task_set import TaskSet
from gridwell.kinds.registry import KINDS
from tests.harness.builders import NOW, SECRET, a_job, a_problem
from web_tier.collector.collector import Collected, Collector
from web_tier.collector.finisher import Finisher
from web_tier.collector.reconciler import STILL_SECONDS, UNSENT_SECONDS, Reconciler
from web_tier.collector.task_results import LOST
from web_tier.jobs.enqueue import pack_size, send_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gridwell.engine.job import Job

TASKS = 8
PACK = 3


class Tier:
    """The collector's side of a web tier, and a stored job of 8 tasks that was sent."""

    def __init__(self, **changes: Any) -> None:
        self.clock = ManualClock(NOW)
        self.ledger = MemoryLedger(draw_secret=lambda: SECRET)
        self.store = MemoryStore()
        cache = MemoryCache(self.clock)
        self.chunks, self.results = MemoryQueue(self.clock), MemoryQueue(self.clock)
        self.dead = MemoryQueue(self.clock)
        finisher = Finisher(
            ledger=self.ledger, store=self.store, cache=cache, kinds=KINDS, clock=self.clock
        )
        self.signer = finisher.signs
        self.collector = Collector(
            results=self.results,
            ledger=self.ledger,
            finisher=finisher,
            cache=cache,
            clock=self.clock,
            poll_seconds=0,
        )
        self.reconciler = Reconciler(
            ledger=self.ledger,
            chunks=self.chunks,
            results=self.results,
            dead_chunks=self.dead,
            dead_results=MemoryQueue(self.clock),
            finisher=finisher,
            clock=self.clock,
        )
        self.job = a_job(a_problem(), chunks=TASKS, **{"block": 3, **changes})
        assert self.ledger.create(self.job)

    def send(self) -> None:
        tasks = TaskSet.span(0, TASKS)
        assert send_tasks(self.chunks, self.job, tasks, signer=self.signer, pack=PACK)
        self.ledger.mark_sent(
            self.job.id, self.job.attempt, sent_at=NOW, resend_at=NOW + STILL_SECONDS
        )

    def take(self) -> list[ChunkMessage]:
        """Take all chunks, as workers do."""
        taken = []
        while batch := self.chunks.receive(at_most=10, wait=0):
            taken += [ChunkMessage.decode(each.body) for each in batch]
            self.chunks.delete([each.receipt for each in batch])
        return taken

    def report(self, chunk: ChunkMessage, rows: Iterable[Row]) -> None:
        self.results.send([each.encode() for each in RowsMessage.of(chunk, rows, worker="w")])

    def read(self) -> Job:
        job = self.ledger.read(self.job.id)
        assert job is not None
        return job


def compute(chunk: ChunkMessage, *, failed: Callable[[int], bool] = lambda _: False) -> list[Row]:
    return [
        Row(task=task, exit=1, reason="exit") if failed(task) else Row(task=task)
        for task in chunk.task_set
    ]


def collect(tier: Tier) -> Collected:
    return tier.collector.step()


@pytest.mark.parametrize("block", [0, 3, 1000])
def test_a_job_is_done_when_all_of_its_tasks_are(block: int) -> None:
    tier = Tier(block=block)
    tier.send()
    chunks = tier.take()
    assert [chunk.task_set.texts() for chunk in chunks] == [("0-2",), ("3-5",), ("6-7",)]
    for chunk in chunks[1:]:
        tier.report(chunk, compute(chunk))
        tier.report(chunk, compute(chunk))

    assert collect(tier).ended == []
    assert tier.read().state is JobState.RUNNING
    assert count_tasks(tier.ledger, tier.read()).done == 5
    tier.report(chunks[0], compute(chunks[0]))
    ended = collect(tier).ended

    assert [job.state for job in ended] == [JobState.DONE]
    assert tier.read().counts == TaskCounts(total=TASKS, done=TASKS)
    assert tier.results.depth().in_flight == tier.results.depth().visible == 0


@pytest.mark.parametrize("block", [0, 3])
def test_a_job_with_failed_tasks_ends_as_failed_by_their_number(block: int) -> None:
    tier = Tier(block=block)
    tier.send()
    for chunk in tier.take():
        tier.report(chunk, compute(chunk, failed=lambda task: task in (2, 7)))

    (ended,) = collect(tier).ended

    assert ended.error is not None
    assert ended.error.detail.startswith("2 of 8 tasks failed;")


def test_a_failed_task_that_succeeds_late_is_done() -> None:
    tier = Tier()
    tier.send()
    chunks = tier.take()
    tier.report(chunks[0], compute(chunks[0], failed=lambda task: task == 1))
    collect(tier)
    for chunk in chunks:
        tier.report(chunk, compute(chunk))

    assert [job.state for job in collect(tier).ended] == [JobState.DONE]


def test_rows_without_the_token_of_their_chunk_are_refused() -> None:
    tier = Tier()
    tier.send()
    first, *_ = tier.take()
    forged = replace(first, tasks="0-7")
    other = replace(first, tasks=None)

    for chunk in (forged, other):
        tier.report(chunk, compute(chunk))

    assert len(collect(tier).refused) == 2
    assert missing_tasks(tier.ledger, tier.read()) == TaskSet.span(0, TASKS)
    assert tier.store.objects == {}


def test_an_error_of_a_chunk_of_several_tasks_is_recorded() -> None:
    tier = Tier()
    tier.send()
    chunk, *_ = tier.take()
    error = ErrorMessage.of(chunk.envelope, worker="w", code="stuck", text="why", receives=1)
    tier.results.send([error.encode()])

    assert len(collect(tier).failed) == 1
    assert tier.ledger.read_failure(tier.job.id, tier.job.attempt, 0) is not None


def test_an_error_of_a_chunk_that_is_settled_is_passed_over() -> None:
    tier = Tier()
    tier.send()
    chunk, *_ = tier.take()
    tier.report(chunk, compute(chunk))
    collect(tier)
    error = ErrorMessage.of(chunk.envelope, worker="w", code="stuck", text="why", receives=1)
    tier.results.send([error.encode()])

    assert collect(tier).failed == []


def test_tasks_that_were_never_sent_are_sent_by_the_reconciler() -> None:
    tier = Tier()
    tier.clock.sleep(UNSENT_SECONDS)

    tier.reconciler.step()

    (chunk,) = tier.take()
    assert chunk.tasks == "0-7"
    assert tier.read().sent_at is not None


def test_only_missing_tasks_are_sent_again() -> None:
    tier = Tier()
    tier.send()
    chunk, *_ = tier.take()
    tier.report(chunk, compute(chunk))
    collect(tier)
    tier.clock.sleep(2 * STILL_SECONDS)

    tier.reconciler.step()

    assert [chunk.task_set.texts() for chunk in tier.take()] == [("3-7",)]
    assert tier.read().resends == 1


def test_tasks_of_a_chunk_that_died_twice_fail_alone() -> None:
    tier = Tier()
    tier.send()
    dying, *others = tier.take()
    for chunk in others:
        tier.report(chunk, compute(chunk))
    collect(tier)
    tier.dead.send([dying.encode()])

    tier.reconciler.step()
    (again,) = tier.take()
    assert (again.again, again.tasks) == (True, "0-2")
    tier.dead.send([again.encode()])
    tier.reconciler.step()

    ended = tier.read()
    assert ended.counts == TaskCounts(total=TASKS, done=5, failed=3)
    assert ended.error is not None
    assert ended.error.detail.startswith("3 of 8 tasks failed;")
    assert any(LOST.encode() in segment for segment in tier.store.objects.values())


def test_a_job_past_its_deadline_says_how_many_tasks_were_done() -> None:
    tier = Tier()
    tier.send()
    chunk, *_ = tier.take()
    tier.report(chunk, compute(chunk))
    collect(tier)
    tier.clock.sleep(tier.job.deadline - NOW + 1)

    tier.reconciler.step()

    error = tier.read().error
    assert error is not None
    assert error.code == DEADLINE_EXCEEDED
    assert "3 of 8 chunks were" in error.detail


@pytest.mark.parametrize(
    ("seconds", "pack"), [(0.0, 1000), (0.001, 1000), (0.01, 500), (1.0, 5), (4.0, 1), (600.0, 1)]
)
def test_a_chunk_takes_about_five_seconds(seconds: float, pack: int) -> None:
    assert pack_size(seconds) == pack
