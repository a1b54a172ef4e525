"""Jobs as a worker last read them, and the tasks that these make obsolete."""

from __future__ import annotations

from typing import Any

import pytest

from app_tier.worker.job_cache import FRESH_SECONDS, JobCache, least, obsolete_reason
from gridwell.engine.job import JobState
from gridwell.engine.messages import ChunkMessage
from gridwell.engine.task_set import TaskSet
from tests.harness.builders import NOW, a_job, a_ledger, a_problem, a_token

PROBLEM = a_problem()


def a_message(tasks: str | None = None, **changes: Any) -> ChunkMessage:
    """Return the message of a chunk of `a_job(PROBLEM, chunks=8)`."""
    job = a_job(PROBLEM, chunks=8)
    chunk = 2 if tasks is None else TaskSet.parse(tasks).first
    fields: dict[str, Any] = {
        "kind": job.kind,
        "job": job.id,
        "attempt": job.attempt,
        "chunk": chunk,
        "plan": job.plan,
        "problem": PROBLEM.sha,
        "token": a_token(job, chunk),
        "tasks": tasks,
    }
    return ChunkMessage(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"attempt": "b" * 16}, "its job is at attempt bbbbbbbbbbbbbbbb"),
        ({"state": JobState.CANCELLED}, "its job is cancelled"),
        ({"deadline": NOW - 1}, "its job is past its deadline"),
        ({"done": frozenset({2})}, "its result is merged already"),
        ({"done": frozenset({1, 3})}, None),
    ],
)
def test_a_task_is_obsolete_by_its_job(changes: dict[str, Any], reason: str | None) -> None:
    job = a_job(PROBLEM, chunks=8, **changes)

    assert obsolete_reason(a_message(), job, NOW) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"plan": "0" * 64}, "its job has another plan"),
        ({"problem": "0" * 64}, "its job has another problem"),
    ],
)
def test_a_task_is_obsolete_by_what_its_message_names(changes: dict[str, Any], reason: str) -> None:
    assert obsolete_reason(a_message(**changes), a_job(PROBLEM, chunks=8), NOW) == reason


def test_a_task_of_a_job_that_is_gone_is_obsolete() -> None:
    assert obsolete_reason(a_message(), None, NOW) == "its job does not exist"


def test_a_chunk_of_several_tasks_is_obsolete_once_all_have_ended() -> None:
    job = a_job(PROBLEM, chunks=8, block=0, done=frozenset({2, 3}), failed=frozenset({4}))

    assert obsolete_reason(a_message("2-4"), job, NOW) == "its result is merged already"
    assert obsolete_reason(a_message("2-5"), job, NOW) is None


def test_jobs_are_read_again_only_once_they_are_old() -> None:
    ledger, job = a_ledger(), a_job(PROBLEM, chunks=8)
    assert ledger.create(job)
    cache = JobCache(ledger)
    cache.learn([job.id], 100.0)
    assert ledger.cancel(job.id, job.attempt, now=NOW)

    def state() -> JobState:
        known = cache.get(job.id).job
        assert known is not None
        return known.state

    cache.learn([job.id], 100.0 + FRESH_SECONDS / 2)
    assert state() is JobState.QUEUED
    cache.learn([job.id], 100.0 + FRESH_SECONDS)
    assert state() is JobState.CANCELLED


def test_the_least_value_seen_outlives_another_read_of_the_job() -> None:
    ledger, job = a_ledger(), a_job(PROBLEM, chunks=8)
    assert ledger.create(job)
    cache = JobCache(ledger)
    cache.learn([job.id], 0.0)

    cache.saw(job.id, "b")
    cache.saw(job.id, "c")
    cache.learn([job.id], 1.0, older_than=0.0)

    assert cache.get(job.id).best == "b"
    with pytest.raises(LookupError, match="job other was not read"):
        cache.get("other")


def test_no_value_is_greater_than_any() -> None:
    assert [least(None, None), least("a", None), least(None, "b"), least("b", "a")] == [
        None,
        "a",
        "b",
        "a",
    ]
