"""A job's id, its states, and what can be read off it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.job import (
    CHUNK_FAILED,
    DEADLINE_EXCEEDED,
    INTEGRITY,
    LOST_MESSAGES,
    Job,
    JobError,
    JobState,
    job_id,
)
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from tests.harness.builders import NOW, a_job, a_problem
from tests.kinds.grid.strategies import jobs


def test_a_clients_job_for_a_problem_always_has_the_same_id() -> None:
    # printf 'public\nabc' | sha256sum | head -c 32
    assert job_id("public", "abc") == "a304b87ba25c3529f6f741c0db9e2af0"


def test_another_client_or_problem_is_another_id() -> None:
    ids = {job_id("a", "x"), job_id("b", "x"), job_id("a", "y"), job_id("ax", ""), job_id("", "ax")}

    assert len(ids) == 5


def test_another_kind_of_job_for_the_same_problem_is_another_id() -> None:
    assert job_id("public", "abc", MINIMUM_KIND) == job_id("public", "abc")
    # printf 'public\nabc\nmap' | sha256sum | head -c 32
    assert job_id("public", "abc", MAP_KIND) == "02f7aee3f5013161b92ac8ee9136ffd3"


def test_that_there_is_a_series_is_in_the_problem_and_not_again_in_the_id() -> None:
    assert job_id("public", "abc", SERIES_KIND) == job_id("public", "abc")


@pytest.mark.parametrize(
    ("state", "terminal"),
    [
        (JobState.QUEUED, False),
        (JobState.RUNNING, False),
        (JobState.DONE, True),
        (JobState.FAILED, True),
        (JobState.CANCELLED, True),
    ],
)
def test_an_ended_job_is_terminal(state: JobState, terminal: bool) -> None:  # noqa: FBT001 - a table's column
    assert state.terminal is terminal


@given(jobs())
def test_chunks_are_either_done_or_missing(job: Job) -> None:
    assert sorted([*job.done, *job.missing]) == list(range(job.tasks))
    assert job.complete == (not job.missing)


@given(jobs())
def test_progress_counts_grid_points(job: Job) -> None:
    missing = sum(grid_view(job).chunking.box(chunk).points for chunk in job.missing)

    assert grid_view(job).points_done + missing == grid_view(job).grid.points


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DONE])
def test_a_job_that_runs_or_is_done_is_joined_and_not_renewed(state: JobState) -> None:
    assert not a_job(state=state).renewable(NOW)


def test_a_cancelled_job_is_renewed() -> None:
    assert a_job(state=JobState.CANCELLED).renewable(NOW)


@pytest.mark.parametrize("code", [DEADLINE_EXCEEDED, CHUNK_FAILED, INTEGRITY, LOST_MESSAGES])
def test_a_job_that_failed_by_our_fault_is_renewed(code: str) -> None:
    assert a_job(state=JobState.FAILED, error=JobError(code, "why")).renewable(NOW)


def test_a_job_whose_failure_is_permanent_stays_failed() -> None:
    job = a_job(state=JobState.FAILED, error=JobError(NO_CANDIDATE_POINT, "why", permanent=True))

    assert not job.renewable(NOW)


@given(st.sampled_from([s for s in JobState if s.terminal]))
def test_a_job_past_its_keeping_is_renewed_whatever_it_was(state: JobState) -> None:
    error = JobError(NO_CANDIDATE_POINT, "why", permanent=True)
    job = a_job(state=state, error=error, expires=NOW)

    assert job.renewable(NOW + 1)
    assert a_job(state=JobState.DONE, expires=NOW).renewable(NOW) is False


def test_the_builder_makes_the_job_of_its_problem() -> None:
    problem = a_problem()

    assert a_job(problem).id == job_id("public", problem.sha)


def test_a_job_of_blocks_is_complete_when_all_of_them_are_settled() -> None:
    job = a_job(block=3)  # of 4 tasks: two blocks

    assert [replace(job, full=frozenset(full)).complete for full in ({0}, {1}, {0, 1})] == [
        False,
        False,
        True,
    ]


def test_a_job_of_blocks_makes_no_list_of_its_tasks() -> None:
    with pytest.raises(ValueError, match="lie in blocks"):
        _ = a_job(block=3).missing


def test_a_task_that_failed_is_not_missing() -> None:
    job = a_job(done=frozenset({0, 1}), failed=frozenset({1, 3}))

    assert job.missing == [2]
    assert not job.complete
    assert replace(job, done=frozenset({2, 0, 1})).complete
