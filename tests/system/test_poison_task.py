"""A chunk that nobody can compute fails its own job, with the true reason, and harms no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app_tier.executor.port import TaskOutcome
from app_tier.executor.process import LOST
from gridwell.engine.job import CHUNK_FAILED, Job, JobError, JobState
from gridwell.engine.task_failure import MACHINE_FAILED, PROCESS_DIED, RAISED
from gridwell.kinds.grid.job_view import grid_view
from tests.harness.builders import a_problem
from tests.harness.grid_tasks import box_of
from tests.harness.oracle import true_minimum
from tests.harness.system import System, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Callable

    from app_tier.executor.port import RunTask

SICK = a_problem()
WELL = [a_problem(seed=seed) for seed in (2, 3)]
POISON = 2  #: the chunk that cannot be computed


def poisoned(
    job: Job, act: Callable[[RunTask], TaskOutcome]
) -> Callable[[RunTask], TaskOutcome | None]:
    """A machine's way with one chunk of one job."""
    box = grid_view(job).chunking.box(POISON)
    return lambda task: act(task) if (task.spec, box_of(task)) == (SICK.sha, box) else None


def dies(_: RunTask) -> TaskOutcome:
    raise WorkerDied


def fails(code: str, text: str) -> Callable[[RunTask], TaskOutcome]:
    return lambda task: TaskOutcome(ticket=task.ticket, error=text, code=code)


def lived_through(
    act: Callable[[RunTask], TaskOutcome], machines: int = 1, cores: int = 1
) -> tuple[System, Job]:
    """A system after the end of a job with such a chunk, and of two others beside it."""
    system = System()
    jobs = [system.submit(problem) for problem in (SICK, *WELL)]
    assert jobs[0].tasks > POISON
    for number in range(machines):
        system.machine(f"w-{number}", cores=cores, breaks=poisoned(jobs[0], act))

    system.run(*jobs)

    for job, problem in zip(jobs[1:], WELL, strict=True):
        ended = system.world.job(job)
        assert (ended.state, grid_view(ended).result) == (JobState.DONE, true_minimum(problem))
    return system, system.world.job(jobs[0])


def error_of(job: Job) -> JobError:
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == CHUNK_FAILED
    assert job.done == frozenset(range(job.tasks)) - {POISON}
    return job.error


@pytest.mark.parametrize(
    ("code", "text"), [(PROCESS_DIED, LOST), (MACHINE_FAILED, "OSError('disk full')")]
)
def test_a_chunk_that_fails_on_two_machines_fails_its_job_after_ten_tries(
    code: str, text: str
) -> None:
    system, job = lived_through(fails(code, text), machines=2)

    assert "chunk 2 failed 10 times, last on worker w-" in error_of(job).detail
    assert f": {text} (on 2 machines)" in error_of(job).detail
    assert system.machines[0].deaths == 0
    assert "dead letter of chunk 2 sent once more" not in system.did


def test_a_chunk_that_only_one_machine_tries_is_sent_once_more_before_its_job_fails() -> None:
    system, job = lived_through(fails(PROCESS_DIED, LOST))

    assert f"chunk 2 failed 10 times, last on worker w-0: {LOST}" in error_of(job).detail
    assert "dead letter of chunk 2 sent once more" in system.did


def test_an_error_of_the_computation_fails_its_job_within_seconds() -> None:
    system, job = lived_through(fails(RAISED, "ValueError('odd')"), machines=2)

    assert "chunk 2 failed 3 times" in error_of(job).detail
    assert job.finished is not None
    assert job.finished - job.created < 30
    assert system.did == []


def test_a_chunk_that_kills_every_worker_has_its_second_chance_and_then_fails_its_job() -> None:
    system, job = lived_through(dies)

    assert "computing it seems to end the whole worker" in error_of(job).detail
    assert system.machines[0].deaths >= 20
    deaths = [did for did in system.did if "of chunk 2" in did]
    assert (deaths[0], deaths[-1]) == (
        "dead letter of chunk 2 sent once more",
        "dead letter of chunk 2",
    )


def test_a_chunk_that_killed_ten_workers_by_chance_is_computed_all_the_same() -> None:
    deaths = 0

    def dies_ten_times(_: RunTask) -> TaskOutcome | None:
        nonlocal deaths
        if deaths == 10:
            return None
        deaths += 1
        raise WorkerDied

    system = System()
    job = system.submit(SICK)
    system.machine("w", breaks=poisoned(job, dies_ten_times))  # type: ignore[arg-type]

    system.run(job)

    assert grid_view(system.world.job(job)).result == true_minimum(SICK)
    assert "dead letter of chunk 2 sent once more" in system.did


@pytest.mark.parametrize("cores", [2, 8])
def test_a_chunk_that_kills_every_worker_at_once_takes_no_other_job_with_it(cores: int) -> None:
    system, job = lived_through(dies, cores=cores)  # nothing beside it ever ends before it

    assert job.error is not None
    assert "chunk 2 was taken by workers again and again" in job.error.detail
    assert "computing it seems to end the whole worker" in job.error.detail
    assert system.machines[0].deaths >= 20
