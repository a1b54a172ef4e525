from __future__ import annotations

from typing import Any

import pytest

from gridwell.engine.job import (
    CHUNK_FAILED,
    DEADLINE_EXCEEDED,
    DEADLINE_SECONDS,
    Job,
    JobError,
    JobState,
)
from gridwell.kinds.grid.minimum import Minimum
from tests.chaos.final_checks import job_faults
from tests.harness.builders import NOW, a_job

ALL = frozenset(range(4))
LATE = JobError(DEADLINE_EXCEEDED, "not done in time")


def done(**changes: Any) -> Job:
    """A job that ended as it should."""
    told: dict[str, Any] = {
        "state": JobState.DONE,
        "done": ALL,
        "result": Minimum(-1.0, 3),
        "finished": NOW + 9,
    }
    return a_job(**{**told, **changes})


def failed(error: JobError | None, *, after: float) -> Job:
    """A job that failed so many seconds after it was accepted."""
    return a_job(state=JobState.FAILED, error=error, finished=NOW + after)


def test_a_job_that_is_done_and_one_that_was_too_late_are_as_they_should_be() -> None:
    assert list(job_faults(done())) == []
    assert list(job_faults(failed(LATE, after=DEADLINE_SECONDS + 1))) == []


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (a_job(), "queued for ever; 0 of 4 chunks"),
        (a_job(state=JobState.RUNNING, done=frozenset({1})), "running for ever; 1 of 4"),
        (done(done=frozenset({0, 1, 2})), "done with 3 of 4 chunks"),
        (done(result=None), "done with 4 of 4 chunks, None"),
        (failed(None, after=9), "failed without a reason"),
        (failed(LATE, after=9), "failed, which nothing explains: deadline_exceeded"),
        (failed(JobError(CHUNK_FAILED, "x"), after=9), "nothing explains: chunk_failed"),
    ],
)
def test_a_job_that_was_lost_cut_short_or_failed_for_no_reason_is_told(
    job: Job, words: str
) -> None:
    (told,) = job_faults(job)

    assert words in told
