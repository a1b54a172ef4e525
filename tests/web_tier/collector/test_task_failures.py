"""What workers tell of failed tries is kept, and fails a job only for a reason that is true."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gridwell.engine.job import CHUNK_FAILED, INTEGRITY, Job, JobError, JobState
from gridwell.engine.object_keys import problem_object
from gridwell.engine.task_failure import (
    MACHINE_FAILED,
    PROBLEM_MISSING,
    PROBLEM_UNREADABLE,
    PROCESS_DIED,
    RAISED,
    UNSUPPORTED,
)
from tests.harness.builders import (
    ATTEMPT,
    NOW,
    OTHER_ATTEMPT,
    a_problem,
    a_register,
    an_error,
    of_version,
)
from tests.harness.oracle import true_minimum
from tests.harness.web import Died, Fuse, World

if TYPE_CHECKING:
    from gridwell.engine.messages import ErrorMessage

PROBLEM = a_problem()
BEST = true_minimum(PROBLEM)


@pytest.fixture
def world() -> World:
    return World()


def tell(world: World, *errors: ErrorMessage) -> list[str]:
    """Let the collector hear of failed tries; what it logs."""
    assert world.results.send([error.encode() for error in errors]) == []
    said: list[str] = []
    while (collected := world.collector().step()).received:
        said += [*collected.failed, *collected.refused, *collected.postponed]
    return said


def error_of(world: World, job: Job) -> JobError:
    failed = world.job(job)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    return failed.error


def test_a_failed_try_is_kept_and_changes_nothing_of_its_job(world: World) -> None:
    job = world.submit(PROBLEM)

    said = tell(world, an_error(job, 2))

    assert said == [
        f"job {job.id}: chunk 2 failed on worker worker-1 (machine_failed): MemoryError()"
    ]
    assert world.job(job) == job
    assert world.left(world.results) == 0
    kept = world.ledger.read_failure(job.id, ATTEMPT, 2)
    assert kept is not None
    assert (kept.text, kept.tries, kept.at) == ("MemoryError()", frozenset({1}), NOW)


def test_results_and_errors_of_a_job_may_come_together(world: World) -> None:
    job = world.submit(PROBLEM)
    world.results.send([an_error(job, 2).encode()])
    world.answer(job, PROBLEM)

    collected = world.collector().step()

    assert (collected.merged, collected.failed) == (4, [])  # chunk 2 was done after all
    assert world.job(job).state is JobState.DONE
    assert world.left(world.results) == 0


@pytest.mark.parametrize("ending", ["done", "failed", "other attempt", "never was"])
def test_a_late_report_changes_nothing_and_goes_away(world: World, ending: str) -> None:
    job = world.submit(PROBLEM)
    errors = [an_error(job, 0, code=RAISED, receives=n) for n in range(1, 6)]
    if ending == "done":
        world.answer(job, PROBLEM)
        world.collector().step()
    elif ending == "failed":
        world.ledger.fail(job.id, job.attempt, JobError("x", "y"), now=NOW)
    elif ending == "other attempt":
        errors = [replace(error, attempt=OTHER_ATTEMPT) for error in errors]
    else:
        errors = [replace(error, job="f" * 32) for error in errors]
    before = world.job(job)

    tell(world, *errors)

    assert world.job(job) == before
    assert world.left(world.results) == 0


@pytest.mark.parametrize("change", [{"chunk": 4}, {"plan": "0" * 64}])
def test_a_report_that_cannot_be_of_its_job_is_refused(
    world: World, change: dict[str, object]
) -> None:
    job = world.submit(PROBLEM)

    (said,) = tell(world, replace(an_error(job, 0), **change))  # type: ignore[arg-type]

    assert f"job {job.id}: a result of" in said
    assert world.left(world.results) == 0


# --- errors of the computation itself


def test_the_third_equal_error_of_the_computation_fails_the_job_at_once(world: World) -> None:
    job = world.submit(PROBLEM)
    errors = [
        an_error(job, 2, code=RAISED, text="ValueError('odd')", receives=n, worker=f"w-{n}")
        for n in (1, 2, 3)
    ]
    tell(world, *errors[:2])
    assert world.job(job) == job

    tell(world, errors[2])

    error = error_of(world, job)
    assert error.code == CHUNK_FAILED
    assert (
        "chunk 2 failed 3 times, last on worker w-3: ValueError('odd') (on 3 machines)"
        in error.detail
    )


def test_one_error_told_again_and_again_is_still_one(world: World) -> None:
    job = world.submit(PROBLEM)

    tell(world, *[an_error(job, 2, code=RAISED)] * 10)

    assert world.job(job) == job


@pytest.mark.parametrize("code", [MACHINE_FAILED, PROCESS_DIED, UNSUPPORTED, "of_later"])
def test_errors_that_may_lie_in_the_machine_never_fail_a_job_by_themselves(
    world: World, code: str
) -> None:
    job = world.submit(PROBLEM)

    tell(world, *[an_error(job, 2, code=code, receives=n) for n in range(1, 11)])

    assert world.job(job) == job


def test_a_chunk_that_is_done_meanwhile_fails_no_job(world: World) -> None:
    job = world.submit(PROBLEM)
    tell(world, *[an_error(job, 2, code=RAISED, receives=n, worker=f"w-{n}") for n in (1, 2)])
    collector = world.collector()
    world.results.send([an_error(job, 1).encode()])
    collector.step()  # it knows the job from now on, and not that chunk 2 was done since
    world.ledger.merge(job.id, job.attempt, frozenset({2}), a_register(BEST), worker="w", now=NOW)

    world.results.send([an_error(job, 2, code=RAISED, receives=3).encode()])
    collector.step()

    assert world.job(job).state is JobState.RUNNING


def test_equal_errors_from_one_machine_fail_no_job_before_its_self_test(world: World) -> None:
    job = world.submit(PROBLEM)

    tell(world, *[an_error(job, 2, code=RAISED, receives=n) for n in range(1, 6)])
    assert world.job(job) == job
    tell(world, an_error(job, 2, code=RAISED, receives=6))

    assert "chunk 2 failed 6 times, " in error_of(world, job).detail
    assert "(on 1 machine)" in error_of(world, job).detail


# --- the stored problem


def test_a_problem_that_is_gone_fails_the_job_at_once(world: World) -> None:
    job = world.submit(PROBLEM)
    del world.store.objects[problem_object(PROBLEM.sha)]

    tell(world, an_error(job, 2, code=PROBLEM_MISSING, text="it is not in the store"))

    error = error_of(world, job)
    assert error.code == INTEGRITY
    assert f"the stored problem {PROBLEM.sha} is gone" in error.detail


def test_a_problem_that_is_damaged_fails_the_job_at_once(world: World) -> None:
    job = world.submit(PROBLEM)
    world.store.objects[problem_object(PROBLEM.sha)] = b"garbage"

    tell(world, an_error(job, 2, code=PROBLEM_UNREADABLE, text="it cannot be read"))

    error = error_of(world, job)
    assert error.code == INTEGRITY
    assert "cannot be read" in error.detail
    assert f"remove problems/{PROBLEM.sha}.npz" in error.detail


@pytest.mark.parametrize("code", [PROBLEM_MISSING, PROBLEM_UNREADABLE])
def test_a_worker_is_not_believed_that_a_problem_is_unusable(world: World, code: str) -> None:
    job = world.submit(PROBLEM)

    tell(world, *[an_error(job, 2, code=code, receives=n) for n in range(1, 11)])

    assert world.job(job) == job


def test_a_problem_of_another_release_is_not_called_damaged(world: World) -> None:
    job = world.submit(PROBLEM)
    key = problem_object(PROBLEM.sha)
    world.store.objects[key] = of_version(world.store.objects[key], "format", 2)

    tell(world, an_error(job, 2, code=PROBLEM_UNREADABLE))

    assert world.job(job) == job


# --- dying between any two calls


def calls_of_a_step() -> int:
    world, fuse = World(), Fuse()
    job = world.submit(PROBLEM)
    tell(world, *[an_error(job, 2, code=RAISED, receives=n, worker=f"w-{n}") for n in (1, 2)])
    world.results.send([an_error(job, 2, code=RAISED, receives=3).encode()])
    world.collector(fuse).step()
    assert world.job(job).state is JobState.FAILED
    return fuse.calls


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(calls_of_a_step()))
def test_dying_before_or_after_any_call_loses_no_reason(
    world: World, call: int, *, after: bool
) -> None:
    job = world.submit(PROBLEM)
    tell(world, *[an_error(job, 2, code=RAISED, receives=n, worker=f"w-{n}") for n in (1, 2)])
    world.results.send([an_error(job, 2, code=RAISED, receives=3).encode()])
    fuse = Fuse(breaks_at=call, error=Died, after=after)

    with pytest.raises(Died):
        world.collector(fuse).step()
    assert fuse.broke
    world.clock.advance(61)
    world.collector().step()

    assert "chunk 2 failed 3 times" in error_of(world, job).detail
    assert world.left(world.results) == 0
