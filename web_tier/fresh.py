"""What submit writes into the ledger: a job as it begins, queued or done from the start."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gridwell.domain import cost
from gridwell.domain.job import DEADLINE_SECONDS, Job, JobState, expiry, job_id
from gridwell.domain.messages import MINIMUM_KIND
from gridwell.domain.potential import potential
from gridwell.domain.split import split

if TYPE_CHECKING:
    from gridwell.domain.minimum import Minimum
    from gridwell.domain.problem import Problem


def is_true(answer: Minimum, problem: Problem) -> bool:
    """Whether an answer's point has this very potential: a cache is no place to trust blindly."""
    return 0 <= answer.index < problem.grid.points and answer.value == potential(
        problem.grid,
        problem.atoms,
        answer.index,
        min_distance=problem.min_distance,
        softening=problem.softening,
    )


def fresh_job(
    problem: Problem,
    attempt: str,
    client: str,
    seed: int | None,
    seen: Job | None,
    now: float,
    *,
    kind: str = MINIMUM_KIND,
) -> Job:
    """The job of a new attempt: queued, with its plan.

    Args:
        problem: what is asked.
        attempt: 16 fresh hex digits.
        client: who asks.
        seed: how the request wrote its atoms.
        seen: the job that this attempt follows, if there is one.
        now: the time.
        kind: of its chunks.
    """
    shape = problem.grid.shape
    return Job(
        id=job_id(client, problem.sha, kind),
        client=client,
        problem=problem.sha,
        kind=kind,
        grid=problem.grid,
        atom_count=problem.atoms.count,
        seed=seed,
        min_distance=problem.min_distance,
        softening=problem.softening,
        state=JobState.QUEUED,
        attempt=attempt,
        run=1 if seen is None else seen.run + 1,
        plan=split(shape, cost.chunk_count(shape, problem.atoms.count, kind)),
        created=now,
        deadline=now + DEADLINE_SECONDS,
    )


def ended_job(job: Job, answer: Minimum, now: float) -> Job:
    """The job as done from the start."""
    return dataclasses.replace(
        job,
        state=JobState.DONE,
        done=frozenset(range(job.plan.chunks)),
        best=answer,
        result=answer,
        finished=now,
        expires=expiry(now),
    )
