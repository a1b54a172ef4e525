"""Results with rows: kept before settled, settled before the job says so, the same in any order."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.adapters.memory import ManualClock, MemoryLedger, MemoryStore
from gridwell.engine.blocks import Blocks, TaskCounts
from gridwell.engine.count_tasks import count_tasks, missing_tasks
from gridwell.engine.errors import ObjectDenied, ServiceBusy, ServiceDenied
from gridwell.engine.job import JobState
from gridwell.engine.messages import RowsMessage
from gridwell.engine.object_keys import rows_prefix
from gridwell.engine.rows import Row, decode_segment, shown_rows
from gridwell.engine.task_set import TaskSet
from tests.harness.builders import ATTEMPT, NOW, OTHER_ATTEMPT, a_job, a_problem, a_result, an_error
from web_tier.collector.task_results import (
    COUNT_SECONDS,
    TaskResults,
    end_of,
    end_tasks,
    flush,
    is_missing,
    misfit,
    settle_again,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.engine.job import Job

PROBLEM = a_problem()
TASKS = 8
_clients = itertools.count()


class Stored:
    """A job with its ledger and store, and what merges its results."""

    def __init__(self, **changes: Any) -> None:
        self.ledger = MemoryLedger()
        self.store = MemoryStore()
        self.clock = ManualClock(NOW)
        self.results = TaskResults(ledger=self.ledger, store=self.store, clock=self.clock)
        self.job = a_job(PROBLEM, chunks=TASKS, client=f"c{next(_clients)}", **changes)
        assert self.ledger.create(self.job)

    def rows(self) -> dict[int, Row]:
        prefix = rows_prefix(self.job.id, self.job.attempt)
        data = [each for key, each in self.store.objects.items() if key.startswith(prefix)]
        return shown_rows(row for each in data for row in decode_segment(each))

    def read(self) -> Job:
        job = self.ledger.read(self.job.id)
        assert job is not None
        return job


def a_row(task: int, *, code: int = 0) -> Row:
    return Row(task=task, exit=code, seconds=0.5, reason="exit" if code else "")


def message(job: Job, *rows: Row, worker: str = "w") -> RowsMessage:
    return RowsMessage(
        job=job.id,
        attempt=job.attempt,
        chunk=0,
        tasks=f"0-{TASKS - 1}",
        plan=job.plan,
        token="4" * 64,
        worker=worker,
        rows=rows,
    )


@pytest.mark.parametrize("block", [0, 3])
def test_rows_settle_their_tasks_and_are_kept(block: int) -> None:
    stored = Stored(block=block)

    after = stored.results.collect(
        stored.job,
        [
            message(stored.job, a_row(0), a_row(1, code=3)),
            message(stored.job, a_row(5), worker="v"),
        ],
    )

    assert after == stored.read()
    assert after is not None
    assert after.state is JobState.RUNNING
    assert after.workers == {"v", "w"}
    assert count_tasks(stored.ledger, after) == TaskCounts(total=TASKS, done=2, failed=1)
    assert missing_tasks(stored.ledger, after) == TaskSet.of({2, 3, 4, 6, 7})
    assert set(stored.rows()) == {0, 1, 5}


def test_rows_that_the_store_refuses_settle_nothing() -> None:
    stored = Stored(block=3)

    def refuse(*_args: Any, **_options: Any) -> bool:
        raise ServiceDenied("no", code="AccessDenied")

    stored.store.put_new = refuse  # type: ignore[method-assign]
    with pytest.raises(ObjectDenied, match="rows/"):
        stored.results.collect(stored.job, [message(stored.job, a_row(0))])

    assert missing_tasks(stored.ledger, stored.read()) == TaskSet.span(0, TASKS)
    assert stored.read() == stored.job


def test_a_collector_that_dies_before_the_job_is_written_leaves_what_the_next_completes() -> None:
    stored = Stored(block=TASKS)
    results = [message(stored.job, *map(a_row, range(TASKS)))]

    def busy(*_args: Any, **_options: Any) -> None:
        raise ServiceBusy("away")

    record = stored.ledger.record_tasks
    stored.ledger.record_tasks = busy  # type: ignore[method-assign]
    with pytest.raises(ServiceBusy):
        stored.results.collect(stored.job, results)
    stored.ledger.record_tasks = record  # type: ignore[method-assign]

    assert not stored.read().complete
    once = settle_again(stored.ledger, stored.read(), now=NOW)
    assert once is not None
    assert once.complete
    assert settle_again(stored.ledger, once, now=NOW) is None
    after = stored.results.collect(stored.job, results)
    counts = TaskCounts(total=TASKS, done=TASKS)
    assert after == replace(once, workers=frozenset({"w"}), counts=counts)


def test_results_of_another_attempt_do_not_touch_the_job() -> None:
    stored = Stored(block=3)
    late = replace(stored.job, attempt=OTHER_ATTEMPT)

    assert stored.results.collect(late, [message(late, a_row(0))]) is None
    assert stored.read() == stored.job
    assert missing_tasks(stored.ledger, stored.read()) == TaskSet.span(0, TASKS)


@pytest.mark.parametrize("block", [0, 3])
@pytest.mark.parametrize("failed", [0, 2])
def test_a_job_ends_by_the_counts_of_its_tasks(block: int, failed: int) -> None:
    stored = Stored(block=block)
    rows = [a_row(task, code=int(task < failed)) for task in range(TASKS)]
    half = stored.results.collect(stored.job, [message(stored.job, *rows[:4])])
    assert half is not None
    assert not end_tasks(stored.ledger, half, now=NOW)

    whole = stored.results.collect(stored.job, [message(stored.job, *rows[4:])])
    assert whole is not None
    assert end_tasks(stored.ledger, whole, now=NOW)

    ended = stored.read()
    assert ended.counts == TaskCounts(total=TASKS, done=TASKS - failed, failed=failed)
    assert ended.state is (JobState.FAILED if failed else JobState.DONE)
    assert (ended.error is not None) == bool(failed)
    if ended.error is not None:
        assert ended.error.detail.startswith("2 of 8 tasks failed; ")
        assert ended.renewable(NOW)


def test_a_job_that_says_full_and_is_not_does_not_end() -> None:
    stored = Stored(block=4)
    wrong = stored.ledger.record_tasks(
        stored.job.id,
        stored.job.attempt,
        workers=frozenset({"w"}),
        now=NOW,
        full=frozenset({0, 1}),
    )
    assert wrong is not None
    assert wrong.complete

    assert not end_tasks(stored.ledger, wrong, now=NOW)


def test_counts_are_thousands_with_commas() -> None:
    error = end_of(TaskCounts(total=10_000, done=9_983, failed=17))

    assert error is not None
    assert error.detail.startswith("17 of 10,000 tasks failed;")
    assert end_of(TaskCounts(total=10_000, done=10_000)) is None
    cancelled = end_of(TaskCounts(total=10, done=5, failed=3, cancelled=2))
    assert cancelled is not None
    assert cancelled.detail.startswith("3 of 10 tasks failed and 2 were cancelled;")


def test_a_report_that_cannot_be_of_its_job_is_refused() -> None:
    job = a_job(PROBLEM, chunks=TASKS, block=0)
    rows, result = message(job, a_row(0)), a_result(job, 0, None)

    assert misfit(rows, job) is None
    assert misfit(result, replace(job, block=None)) is None
    assert misfit(rows, replace(job, block=None)) == (
        "rows of tasks, and a job of kind 'minimum', whose tasks leave none"
    )
    assert misfit(result, job) == (
        "a result without rows, and a job of kind 'minimum', whose tasks leave them"
    )
    fewer = a_job(PROBLEM, chunks=4, block=0)
    assert misfit(rows, fewer) == "a report of tasks 0-7, the job has 4"
    error = replace(an_error(job, 0), tasks="0-7")
    assert misfit(error, job) is None
    assert misfit(error, fewer) == "a report of tasks 0-7, the job has 4"


@pytest.mark.parametrize("block", [0, 3])
def test_a_chunk_is_missing_while_any_of_its_tasks_is(block: int) -> None:
    stored = Stored(block=block)
    after = stored.results.collect(stored.job, [message(stored.job, a_row(0), a_row(1, code=1))])
    assert after is not None

    assert not is_missing(stored.ledger, after, TaskSet.span(0, 2))
    assert is_missing(stored.ledger, after, TaskSet.span(0, 4))
    assert is_missing(stored.ledger, after, TaskSet.span(5, 6))


def test_a_running_job_says_how_far_it_is_and_blocks_are_read_seldom() -> None:
    stored = Stored(block=3)
    reads = 0
    read = stored.ledger.read_blocks

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal reads
        reads += 1
        return read(*args, **options)

    stored.ledger.read_blocks = counted  # type: ignore[method-assign]
    for task in range(TASKS - 1):
        stored.results.collect(stored.job, [message(stored.job, a_row(task, code=int(task == 2)))])
        failed = int(task >= 2)
        assert stored.read().counts == TaskCounts(
            total=TASKS, done=task + 1 - failed, failed=failed
        )

    assert reads == 1


def test_tasks_that_another_collector_settled_are_counted_some_seconds_later() -> None:
    stored = Stored(block=3)
    stored.results.collect(stored.job, [message(stored.job, a_row(0))])
    stored.ledger.settle(stored.job.id, ATTEMPT, Blocks(TASKS, 3), TaskSet.span(5, 8), expires=NOW)

    stored.results.collect(stored.job, [message(stored.job, a_row(1))])
    assert stored.read().counts == TaskCounts(total=TASKS, done=2)
    stored.clock.sleep(COUNT_SECONDS)
    stored.results.collect(stored.job, [message(stored.job, a_row(1))])
    assert stored.read().counts == TaskCounts(total=TASKS, done=5)


flushes = st.lists(
    st.lists(
        st.builds(a_row, st.integers(0, TASKS - 1), code=st.sampled_from([0, 0, 1])),
        min_size=1,
        max_size=TASKS,
        unique_by=lambda row: row.task,
    ).map(lambda rows: sorted(rows, key=lambda row: row.task)),
    min_size=1,
    max_size=6,
)


def _batches(messages: list[RowsMessage], sizes: Iterator[int]) -> Iterator[list[RowsMessage]]:
    rest = iter(messages)
    for size in sizes:
        batch = list(itertools.islice(rest, size))
        if not batch:
            return
        yield batch


@given(flushes, st.data())
def test_any_packing_order_and_duplicates_end_in_one_state(
    given_rows: list[list[Row]], data: st.DataObject
) -> None:
    one, other = Stored(block=3), Stored(block=3)
    again = data.draw(st.permutations(given_rows + given_rows[:2]))
    size = data.draw(st.integers(1, 3))

    for rows in given_rows:
        one.results.collect(one.job, [message(one.job, *rows)])
    messages = [message(other.job, *rows) for rows in again]
    for batch in _batches(messages, itertools.repeat(size)):
        other.results.collect(other.job, batch)

    assert count_tasks(one.ledger, one.read()) == count_tasks(other.ledger, other.read())
    assert one.read().full == other.read().full
    assert one.rows() == other.rows()
    states = one.job.blocks
    assert states is not None
    every = [row for rows in given_rows for row in rows]
    assert set(one.rows()) == {row.task for row in every}


@given(flushes, st.data())
def test_a_flush_is_the_same_whatever_the_order_of_its_messages(
    given_rows: list[list[Row]], data: st.DataObject
) -> None:
    job = a_job(PROBLEM, chunks=TASKS)
    messages = [message(job, *rows) for rows in given_rows]

    assert flush(data.draw(st.permutations(messages + messages[:1]))) == flush(messages)
