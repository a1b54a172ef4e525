"""A job of a kind that this release has not is another release's: left alone, and never failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridwell.engine.errors import OtherVersion
from gridwell.engine.job import Job, JobState
from gridwell.engine.task_failure import PROBLEM_MISSING, RAISED
from gridwell.kinds.registry import KINDS
from tests.harness.builders import NOW, a_problem, an_error
from tests.harness.web import World
from tests.web_tier.collector.test_reconciler import bury

PROBLEM = a_problem()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def job(world: World) -> Job:
    return world.submit(PROBLEM, kind="of_tomorrow", sent_at=NOW, resend_at=NOW + 120.0)


def test_results_of_an_unknown_kind_stay_in_the_queue_and_others_do_not(
    world: World, job: Job
) -> None:
    known = world.submit(a_problem(seed=2))
    world.answer(job, PROBLEM)
    world.answer(known, a_problem(seed=2))

    collected = world.collector().step()

    assert [ended.id for ended in collected.ended] == [known.id]
    assert "of kind 'of_tomorrow', which this release has not" in collected.postponed[0]
    assert not collected.refused
    assert world.left(world.results) == job.tasks
    assert world.job(job) == job


@pytest.mark.parametrize("code", [RAISED, PROBLEM_MISSING])
def test_errors_of_an_unknown_kind_fail_no_job(world: World, job: Job, code: str) -> None:
    for number in range(1, 8):
        error = an_error(job, 0, code=code, receives=number, worker=f"w-{number}")
        world.results.send([error.encode()])
        world.collector().step()

    assert world.job(job) == job


def test_a_complete_job_of_an_unknown_kind_is_finished_by_another_release(
    world: World, job: Job
) -> None:
    everything = frozenset(range(job.tasks))
    merged = world.ledger.merge(job.id, job.attempt, everything, None, worker="w-1", now=NOW)
    assert merged is not None

    with pytest.raises(OtherVersion):
        world.finisher().finish(merged)
    done = world.reconciler().step()

    assert [each.did.split(":")[0] for each in done] == ["left for the next round"]
    assert world.job(job) == merged


def test_an_unknown_kind_is_reconciled_by_another_release_also_past_its_deadline(
    world: World, job: Job
) -> None:
    world.clock.advance(10 * 86_400.0)

    (done,) = world.reconciler().step()

    assert "which this release has not" in done.did
    assert world.job(job) == job
    assert world.left(world.chunks) == 0


def test_dead_letters_of_an_unknown_kind_are_kept(world: World, job: Job) -> None:
    bury(world, job, 0)
    world.dead_results.send([an_error(job, 1).encode()])

    world.reconciler().step()

    assert world.left(world.dead_chunks) == 1
    assert world.left(world.dead_results) == 1
    assert world.left(world.chunks) == world.left(world.results) == 0
    assert world.job(job).state is JobState.QUEUED


def test_a_release_that_has_the_kind_takes_up_what_another_left(world: World, job: Job) -> None:
    world.answer(job, PROBLEM)
    world.collector().step()
    world.clock.advance(60.0)
    collector = world.collector()
    finisher = replace(world.finisher(), kinds={**KINDS, "of_tomorrow": KINDS["minimum"]})
    collector._finisher = finisher

    collected = collector.step()

    assert [ended.state for ended in collected.ended] == [JobState.DONE]
