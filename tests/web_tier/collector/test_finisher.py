"""A complete job ends with the true answer, or fails and says whose result was wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gridwell.engine.errors import InvalidMessage, ServiceBusy
from gridwell.engine.job import INTEGRITY, KEPT_SECONDS, Job, JobError, JobState
from gridwell.engine.object_keys import answer_object, problem_object, record_object
from gridwell.kinds.grid.answer import decode_answer
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_POINT
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.record import record
from tests.harness.builders import NOW, OTHER_ATTEMPT, a_job, a_problem, a_register, atoms_at
from tests.harness.oracle import true_minimum, true_value
from tests.harness.web import Died, Fuse, World
from web_tier.collector.finisher import MAX_REFUSALS
from web_tier.jobs.cached_jobs import answer_key, decode_final, final_key

if TYPE_CHECKING:
    from typing import Any

PROBLEM = a_problem()
BEST = true_minimum(PROBLEM)
EVERY = frozenset(range(4))


@pytest.fixture
def world() -> World:
    return World()


def complete(
    world: World, problem: Problem = PROBLEM, *, best: Minimum | None = BEST, **changes: Any
) -> Job:
    """A job of which all chunks are merged."""
    job = world.submit(problem, **changes)
    merged = world.ledger.merge(
        job.id,
        job.attempt,
        frozenset(range(job.tasks)),
        a_register(best),
        worker="worker-7",
        now=NOW,
    )
    assert merged is not None
    assert merged.complete
    return merged


def cached(world: World, job: Job) -> Job | None:
    data = world.values.get_many([final_key(job.id)]).get(final_key(job.id))
    return None if data is None else decode_final(data, job.id)


def test_a_complete_job_is_done_with_its_best_as_result(world: World) -> None:
    job = complete(world)
    world.clock.advance(2)

    ended = world.finisher().finish(job)

    assert ended == world.job(job)
    assert ended is not None
    assert (ended.state, grid_view(ended).result) == (JobState.DONE, BEST)
    assert (ended.finished, ended.expires) == (NOW + 2, NOW + 2 + KEPT_SECONDS)


def test_the_answer_lies_wherever_somebody_may_look(world: World) -> None:
    job = complete(world)

    world.finisher().finish(job)

    shown = cached(world, job)
    assert shown is not None
    assert (shown.state, grid_view(shown).result) == (JobState.DONE, BEST)
    assert decode_answer(world.store.objects[answer_object(PROBLEM.sha)], PROBLEM.sha) == (BEST,)
    key = answer_key(PROBLEM.sha)
    assert decode_answer(world.values.get_many([key])[key], PROBLEM.sha) == (BEST,)


def test_the_record_tells_all_that_is_needed_to_check_the_answer(world: World) -> None:
    job = complete(world)

    world.finisher().finish(job)

    stored = json.loads(world.store.objects[record_object(job.id, job.attempt)])
    assert BEST is not None
    grid = PROBLEM.grid
    assert stored["Grid size"] == [4, 4, 4]
    assert stored["Atom count"] == 5
    assert stored["Atom values"] == PROBLEM.atoms.rows().tolist()
    assert stored["Result"] == {
        "minimum": BEST.value,
        "index": list(grid.triple(BEST.index)),
        "point": list(grid.point(BEST.index)),
    }
    assert stored["Problem"] == PROBLEM.sha
    assert (stored["Grid origin"], stored["Grid spacing"]) == ([0.0] * 3, [1.0] * 3)


def test_a_record_read_back_has_the_same_bits() -> None:
    problem = Problem(
        Grid((0.1, -1e9, 1 / 3), (0.1, 1e-9, 3.0), (2, 2, 2)),
        atoms_at((0.1 + 0.2, 1e-300, -1e9, 1e-30), (1.0, 2.0, 3.0, -1e30)),
        min_distance=0.1,
        softening=1e-9,
    )
    best = true_minimum(problem)
    assert best is not None

    read = json.loads(record(problem, best))

    assert read["Atom values"] == problem.atoms.rows().tolist()
    assert read["Grid origin"] == list(problem.grid.origin)
    assert read["Result"]["minimum"] == best.value
    assert (read["Minimum distance"], read["Softening"]) == (0.1, 1e-9)


def test_finishing_twice_is_finishing_once(world: World) -> None:
    job = complete(world)
    world.finisher().finish(job)
    objects = dict(world.store.objects)
    world.clock.advance(10)

    again = world.finisher().finish(job)

    assert again is not None
    assert again.finished == NOW
    assert world.store.objects == objects


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(5))
def test_once_a_job_is_done_its_answer_is_there_for_everybody(
    world: World, call: int, *, after: bool
) -> None:
    job = complete(world)
    fuse = Fuse(breaks_at=call, error=Died, after=after)

    with pytest.raises(Died):
        world.finisher(fuse).finish(job)

    if world.job(job).state is JobState.DONE:
        assert answer_object(PROBLEM.sha) in world.store.objects
        assert record_object(job.id, job.attempt) in world.store.objects


def test_many_atoms_are_written_as_they_are() -> None:
    problem = a_problem(3, atoms=25_001)  # more than one piece

    read = json.loads(record(problem, Minimum(-1.0, 5)))

    assert read["Atom values"] == problem.atoms.rows().tolist()


def test_a_job_whose_points_are_all_excluded_fails_by_itself(world: World) -> None:
    problem = a_problem(min_distance=100.0)
    job = complete(world, problem, best=None)

    ended = world.finisher().finish(job)

    assert ended is not None
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (JobState.FAILED, NO_CANDIDATE_POINT)
    assert ended == world.job(job)
    assert cached(world, job) is not None


@pytest.mark.parametrize("off", [-1.0, -1e-15, 1e-15, 1.0])
def test_a_wrong_value_fails_the_job_in_the_end_and_names_the_worker(
    world: World, off: float
) -> None:
    assert BEST is not None
    job = complete(world, best=Minimum(BEST.value * (1 + off), BEST.index), refusals=MAX_REFUSALS)

    ended = world.finisher().finish(job)

    assert ended is not None
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (JobState.FAILED, INTEGRITY)
    assert "worker-7" in ended.error.detail
    assert repr(BEST.value) in ended.error.detail
    assert answer_object(PROBLEM.sha) not in world.store.objects
    assert not world.values.get_many([answer_key(PROBLEM.sha)])


def test_a_point_that_does_not_qualify_fails_the_job(world: World) -> None:
    problem = Problem(Grid.cube(2), atoms_at((0.0, 0.0, 0.0, 1.0)))
    job = complete(world, problem, best=Minimum(-5.0, 0), refusals=MAX_REFUSALS)

    ended = world.finisher().finish(job)

    assert ended is not None
    assert ended.error is not None
    assert ended.error.code == INTEGRITY
    assert "whose potential is None" in ended.error.detail


def test_a_job_whose_problem_is_gone_fails(world: World) -> None:
    job = complete(world)
    del world.store.objects[problem_object(PROBLEM.sha)]

    ended = world.finisher().finish(job)

    assert ended is not None
    assert ended.error is not None
    assert ended.error.code == INTEGRITY
    assert "gone; submit the job again" in ended.error.detail


def test_a_job_whose_problem_cannot_be_read_is_left_running(world: World) -> None:
    # It may be one of a newer release, which another collector can read.
    job = complete(world)
    world.store.objects[problem_object(PROBLEM.sha)] = b"garbage"

    with pytest.raises(InvalidMessage, match="cannot be read"):
        world.finisher().finish(job)

    assert world.job(job).state is JobState.RUNNING


def test_a_job_that_was_ended_otherwise_stays_so(world: World) -> None:
    job = complete(world)
    error = JobError("deadline_exceeded", "late")
    world.ledger.fail(job.id, job.attempt, error, now=NOW)

    assert world.finisher().finish(job) is None

    assert world.job(job).error == error
    assert cached(world, job) is None
    # The answer is the problem's: it is true whatever became of this job.
    assert decode_answer(world.store.objects[answer_object(PROBLEM.sha)], PROBLEM.sha) == (BEST,)


def test_a_job_that_runs_again_is_not_ended_by_its_last_attempt(world: World) -> None:
    job = complete(world)
    world.ledger.fail(job.id, job.attempt, JobError("integrity", "x"), now=NOW)
    again = a_job(PROBLEM, attempt=OTHER_ATTEMPT, run=2)
    assert world.ledger.create(again, replaces=world.job(job))

    assert world.finisher().finish(job) is None
    assert world.finisher().fail(job, JobError("integrity", "y")) is None

    assert world.job(job) == again


def test_a_job_that_is_not_complete_is_not_finished(world: World) -> None:
    job = world.submit(PROBLEM)
    merged = world.ledger.merge(
        job.id, job.attempt, frozenset({0}), a_register(BEST), worker="worker-7", now=NOW
    )
    assert merged is not None

    assert world.finisher().finish(merged) is None

    assert world.job(job).state is JobState.RUNNING


def test_a_failure_is_checked_again_in_the_write(world: World) -> None:
    job = complete(world)
    error = JobError("chunk_failed", "why")

    assert world.finisher().fail(job, error, unless_done=2) is None
    assert world.finisher().fail(job, error, past_deadline=True) is None
    assert world.job(job).state is JobState.RUNNING

    world.clock.advance(job.deadline - NOW + 1)
    failed = world.finisher().fail(job, error, past_deadline=True)
    assert failed is not None
    assert failed.error == error


def test_a_new_attempt_that_begins_meanwhile_is_not_put_into_the_cache(world: World) -> None:
    job = world.submit(PROBLEM)
    again = a_job(PROBLEM, attempt=OTHER_ATTEMPT, run=2)
    fuse = Fuse()

    def resubmit() -> None:
        if fuse.calls == 2:  # the job has just failed, and is about to be read
            assert world.ledger.create(again, replaces=world.job(job))

    fuse.on_call = resubmit

    assert world.finisher(fuse).fail(job, JobError("chunk_failed", "why")) is None

    assert world.job(job) == again
    assert not world.values.get_many([final_key(job.id)])


def calls_of_finish() -> int:
    world, fuse = World(), Fuse()
    job = complete(world)
    world.finisher(fuse).finish(job)
    return fuse.calls


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", [ServiceBusy, Died])
@pytest.mark.parametrize("call", range(calls_of_finish()))
def test_dying_between_any_two_calls_leaves_a_job_that_the_next_finisher_ends(
    world: World, call: int, error: type[BaseException], *, after: bool
) -> None:
    job = complete(world)
    fuse = Fuse(breaks_at=call, error=error, after=after)

    with pytest.raises(error):
        world.finisher(fuse).finish(job)
    ended = world.finisher().finish(job)

    assert fuse.broke
    assert ended is not None
    assert (ended.state, grid_view(ended).result) == (JobState.DONE, BEST)
    assert cached(world, job) is not None
    assert decode_answer(world.store.objects[answer_object(PROBLEM.sha)], PROBLEM.sha) == (BEST,)
    assert record_object(job.id, job.attempt) in world.store.objects


def test_the_record_is_durable_before_the_ledger_says_done(world: World) -> None:
    job = complete(world)
    seen: list[tuple[bool, bool, bool]] = []

    def look() -> None:
        seen.append(
            (
                record_object(job.id, job.attempt) in world.store.objects,
                world.job(job).state is JobState.DONE,
                cached(world, job) is not None,
            )
        )

    world.finisher(Fuse(on_call=look)).finish(job)
    look()

    stages = [(False, False, False), (True, False, False), (True, True, False), (True, True, True)]
    assert sorted(set(seen), key=stages.index) == stages
    assert [stages.index(moment) for moment in seen] == sorted(map(stages.index, seen))


def test_the_value_of_the_result_is_the_oracles(world: World) -> None:
    job = complete(world)

    ended = world.finisher().finish(job)

    assert ended is not None
    least = grid_view(ended).result
    assert least is not None
    assert least.value == true_value(PROBLEM, PROBLEM.grid.triple(least.index))
