"""What submit writes into the ledger: a job as it begins, queued or done from the start."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.job import DEADLINE_SECONDS, Job, JobState, job_id
from gridwell.engine.messages import MINIMUM_KIND, SERIES_KIND
from gridwell.kinds.grid import cost, limits
from gridwell.kinds.grid.chunking import split
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.series import flaw

if TYPE_CHECKING:
    from gridwell.kinds.grid.minimum import Minimum
    from gridwell.kinds.grid.problem import Problem


def verify_answer(answer: tuple[Minimum, ...], problem: Problem) -> bool:
    """Whether an answer's points have these very values: a cache is no place to trust blindly."""
    return flaw(problem, answer) is None


def refuse_long_series(problem: Problem) -> None:
    """Refuse a series that no worker would end in the time of one chunk.

    Raises:
        InvalidJob: that says how long it is estimated to take, and what to change.
    """
    series, shape, atoms = problem.series, problem.grid.shape, problem.atoms.count
    if series is None:
        return

    def seconds(count: int) -> float:
        wanted = dataclasses.replace(series, count=count)
        return cost.seconds(shape, atoms, series=wanted, min_distance=problem.min_distance)

    estimate = seconds(series.count)
    if estimate > limits.MAX_SERIES_SECONDS:
        fewer = [
            count for count in range(1, series.count) if seconds(count) <= limits.MAX_SERIES_SECONDS
        ]
        remedy = f"ask for {fewer[-1]} at most, or for" if fewer else "ask for"
        raise InvalidJob(
            Fault(
                series.path,
                f"{series.count} points, one after the other, are estimated to take "
                f"{estimate:.0f} s of one worker, which may take {limits.MAX_SERIES_SECONDS:.0f}; "
                f"{remedy} a smaller grid",
            )
        )


def build_new_job(
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
        kind: of job; one for a series has a kind of its own.
    """
    shape = problem.grid.shape
    return Job(
        id=job_id(client, problem.sha, kind),
        client=client,
        problem=problem.sha,
        kind=kind if problem.series is None else SERIES_KIND,
        grid=problem.grid,
        atom_count=problem.atoms.count,
        seed=seed,
        min_distance=problem.min_distance,
        softening=problem.softening,
        series=problem.series,
        state=JobState.QUEUED,
        attempt=attempt,
        run=1 if seen is None else seen.run + 1,
        plan=split(shape, cost.chunk_count(shape, problem.atoms.count, kind, problem.series)),
        created=now,
        deadline=now + DEADLINE_SECONDS,
    )


def ended_job(job: Job, answer: tuple[Minimum, ...], now: float) -> Job:
    """The job as done from the start."""
    register = register_of(*answer, series=grid_view(job).series is not None)
    merged = dataclasses.replace(job, done=frozenset(range(job.tasks)), best=register)
    return merged.done_with(register, now)
