"""Jobs whose tasks leave rows: one suite for the ledger in memory and for the one in DynamoDB."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.blocks import TaskCounts
from gridwell.engine.job import KEPT_SECONDS, TASKS_FAILED, Job, JobError, JobState
from tests.harness.builders import NOW, OTHER_ATTEMPT, a_job, a_problem

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from gridwell.engine.ports import JobLedger
    from tests.adapters.conftest import Aws

PROBLEM = a_problem()
TASKS = 4
WORKERS = frozenset({"w"})
ERROR = JobError(TASKS_FAILED, "1 of 4 tasks failed")
_clients = itertools.count()


@pytest.fixture(scope="session")
def ledger(backend: str, request: pytest.FixtureRequest) -> JobLedger:
    if backend == "memory":
        return MemoryLedger()
    aws: Aws = request.getfixturevalue("aws")
    return DynamoJobLedger(aws.clients["dynamodb"], aws.names["LedgerTable"])


def stored(ledger: JobLedger, **changes: Any) -> Job:
    """Store a job of 4 tasks that no other test has."""
    job = a_job(PROBLEM, chunks=TASKS, client=f"tasks-{next(_clients)}", **changes)
    assert ledger.create(job)
    return job


def record(
    ledger: JobLedger, job: Job, *, now: float = NOW + 1, **sets: AbstractSet[int]
) -> Job | None:
    frozen: dict[str, Any] = {name: frozenset(numbers) for name, numbers in sets.items()}
    return ledger.record_tasks(job.id, job.attempt, workers=WORKERS, now=now, **frozen)


def test_a_job_keeps_the_size_of_its_blocks(ledger: JobLedger) -> None:
    job = stored(ledger, block=2)

    assert ledger.read(job.id) == job
    assert job.blocks is not None
    assert len(job.blocks) == 2


def test_recorded_tasks_are_in_the_job_which_runs_then(ledger: JobLedger) -> None:
    job = stored(ledger)

    record(ledger, job, done={0, 2})
    after = record(ledger, job, done={1}, failed={2, 3}, now=NOW + 2)

    assert after == ledger.read(job.id)
    assert after == replace(
        job,
        state=JobState.RUNNING,
        done=frozenset({0, 1, 2}),
        failed=frozenset({2, 3}),
        workers=WORKERS,
        moved=NOW + 2,
    )
    assert after.complete


def test_recorded_blocks_complete_a_job_of_blocks(ledger: JobLedger) -> None:
    job = stored(ledger, block=2)

    first = record(ledger, job, full={1})
    again = record(ledger, job, full={1})
    last = record(ledger, job, full={0})

    assert first == again
    assert [each is not None and each.complete for each in (again, last)] == [False, True]


def test_recording_no_block_says_that_the_job_moves(ledger: JobLedger) -> None:
    job = stored(ledger, block=2)

    assert record(ledger, job) == replace(
        job, state=JobState.RUNNING, workers=WORKERS, moved=NOW + 1
    )


def test_the_last_counts_of_a_running_job_stay(ledger: JobLedger) -> None:
    job = stored(ledger, block=2)
    for done in (1, 2):
        counts = TaskCounts(total=TASKS, done=done)
        ledger.record_tasks(job.id, job.attempt, workers=WORKERS, now=NOW, counts=counts)
    record(ledger, job, full={0})

    after = ledger.read(job.id)
    assert after is not None
    assert after.counts == TaskCounts(total=TASKS, done=2)
    assert ledger.restart(job.id, job.attempt, OTHER_ATTEMPT, now=NOW + 2)
    fresh = ledger.read(job.id)
    assert fresh is not None
    assert fresh.counts is None


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_an_ended_job_takes_no_tasks(ledger: JobLedger, state: JobState) -> None:
    job = stored(ledger, state=state)

    assert record(ledger, job, done={0}) is None
    assert ledger.read(job.id) == job


def test_another_attempt_takes_no_tasks(ledger: JobLedger) -> None:
    job = stored(ledger, block=2)

    assert record(ledger, replace(job, attempt=OTHER_ATTEMPT), full={0}) is None
    assert ledger.read(job.id) == job


def test_a_restarted_job_begins_without_tasks(ledger: JobLedger) -> None:
    job = stored(ledger, block=2)
    record(ledger, job, full={0}, failed={3})

    assert ledger.restart(job.id, job.attempt, OTHER_ATTEMPT, now=NOW + 2)

    after = ledger.read(job.id)
    assert after is not None
    assert (after.full, after.failed, after.block) == (frozenset(), frozenset(), 2)


@pytest.mark.parametrize("block", [0, 2])
@pytest.mark.parametrize("error", [None, ERROR])
def test_a_job_ends_when_all_of_its_tasks_have(
    ledger: JobLedger, block: int, error: JobError | None
) -> None:
    job = stored(ledger, block=block)
    half = record(ledger, job, full={0}) if block else record(ledger, job, done={0, 1, 2})
    counts = TaskCounts(total=TASKS, done=4 - bool(error), failed=int(bool(error)))
    assert half is not None
    assert not ledger.finish_tasks(half, counts, now=NOW + 2, error=error)

    whole = record(ledger, job, full={1}) if block else record(ledger, job, failed={3})
    assert whole is not None
    assert ledger.finish_tasks(whole, counts, now=NOW + 3, error=error)
    assert ledger.finish_tasks(whole, counts, now=NOW + 4, error=error)  # a lost reply

    ended = ledger.read(job.id)
    assert ended == replace(
        whole,
        state=JobState.FAILED if error else JobState.DONE,
        counts=counts,
        error=error,
        finished=NOW + 3,
        expires=NOW + 3 + KEPT_SECONDS,
    )
    assert job.id not in ledger.unfinished()


def test_a_late_success_keeps_a_job_from_ending_with_old_counts(ledger: JobLedger) -> None:
    job = stored(ledger)
    seen = record(ledger, job, done={0, 1, 2}, failed={3})
    assert seen is not None
    counts = TaskCounts(total=TASKS, done=3, failed=1)
    late = record(ledger, job, done={3})

    assert not ledger.finish_tasks(seen, counts, now=NOW + 2, error=ERROR)

    assert late is not None
    assert ledger.finish_tasks(late, TaskCounts(total=TASKS, done=4), now=NOW + 3)


def test_a_cancelled_job_does_not_end_once_more(ledger: JobLedger) -> None:
    job = stored(ledger, block=2)
    whole = record(ledger, job, full={0, 1})
    assert whole is not None
    assert ledger.cancel(job.id, job.attempt, now=NOW + 2)

    assert not ledger.finish_tasks(whole, TaskCounts(total=TASKS, done=4), now=NOW + 3)
    after = ledger.read(job.id)
    assert after is not None
    assert after.state is JobState.CANCELLED
