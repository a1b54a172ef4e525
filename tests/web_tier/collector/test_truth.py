"""Forged and wrong reports: none becomes an answer that a sampled point disproves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import INTEGRITY, Job, JobState
from gridwell.engine.messages import ChunkMessage, ResultMessage
from gridwell.engine.object_keys import answer_object
from gridwell.engine.task_failure import PROBLEM_MISSING, RAISED
from gridwell.kinds.grid.atoms import random_atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.potential import potential
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.work import work_of
from tests.harness.builders import (
    NOW,
    OTHER_ATTEMPT,
    a_job,
    a_problem,
    a_register,
    a_result,
    a_series,
    a_token,
    an_error,
)
from tests.harness.oracle import true_minimum, true_series
from tests.harness.web import Fuse, World
from tests.harness.web_http import a_service
from web_tier.collector.finisher import MAX_REFUSALS, ObjectRefusal
from web_tier.jobs.signer import Signer

if TYPE_CHECKING:
    from collections.abc import Callable

PROBLEM = a_problem()
#: Too large to be checked whole: 27,000 points of 60 atoms.
LARGE = Problem(Grid.cube(30), random_atoms(60, seed=3, grid=Grid.cube(30)))


@pytest.fixture
def world() -> World:
    return World()


def at(problem: Problem, index: int) -> Minimum:
    """The true potential of a point."""
    value = potential(
        problem.grid,
        problem.atoms,
        index,
        min_distance=problem.min_distance,
        softening=problem.softening,
    )
    assert value is not None
    return Minimum(value, index)


def run(world: World) -> list[str]:
    collector = world.collector()
    refused = []
    for _ in range(4):
        refused += collector.step().refused
        world.clock.advance(20)
    return refused


# --- a report belongs to a chunk that was received


@pytest.mark.parametrize(
    "forge",
    [
        lambda job: a_token(job, 1),
        lambda job: a_token(replace(job, attempt=OTHER_ATTEMPT), 0),
        lambda _job: a_token(a_job(a_problem(seed=9)), 0),
        lambda _job: "0" * 64,
        lambda job: Signer(World().ledger).token(job, 0)[::-1],
    ],
)
def test_a_result_without_its_chunks_token_is_refused_and_deleted(
    world: World, forge: Callable[[Job], str]
) -> None:
    job = world.submit(PROBLEM)
    world.results.send([a_result(job, 0, Minimum(-1e9, 0), token=forge(job)).encode()])

    (why,) = run(world)

    assert "without the token of that chunk" in why
    assert world.job(job) == job
    assert world.left(world.results) == 0


@pytest.mark.parametrize("code", [RAISED, PROBLEM_MISSING])
def test_failures_reported_without_a_token_never_fail_a_job(world: World, code: str) -> None:
    job = world.submit(PROBLEM)
    for receives in range(1, 9):
        error = an_error(job, 0, code=code, receives=receives, token=a_token(job, 1))
        world.results.send([error.encode()])

    assert len(run(world)) == 8
    assert world.job(job) == job
    assert world.ledger.read_failure(job.id, job.attempt, 0) is None


def test_a_series_without_a_token_is_refused(world: World) -> None:
    problem = a_problem(series=Series(2))
    job = world.submit(problem)
    world.results.send([a_series(job, Minimum(-1.0, 0), token="f" * 64).encode()])

    assert len(run(world)) == 1
    assert world.job(job) == job


def test_a_chunk_whose_old_report_has_no_token_is_sent_again(world: World) -> None:
    job = a_service(world).submit(work_of(PROBLEM))
    fields = json.loads(a_result(job, 0, true_minimum(PROBLEM)).encode())
    del fields["token"]
    world.results.send([json.dumps({**fields, "version": 1})])  # as the release before wrote it
    assert world.queued_chunks() == [0]

    collected = world.collector().step()

    assert (collected.merged, collected.refused) == (0, [])
    assert "another release" in collected.postponed[0]
    reconciler = world.reconciler()
    for _ in range(30):
        world.clock.advance(30)
        reconciler.step()
    (received, *_) = world.chunks.receive(at_most=10, wait=0)
    message = ChunkMessage.decode(received.body)
    assert (message.attempt, message.chunk, message.token) == (job.attempt, 0, a_token(job, 0))


def test_a_chunks_message_carries_the_token_that_its_report_needs(world: World) -> None:
    job = a_service(world).submit(work_of(PROBLEM))
    (received,) = world.chunks.receive(at_most=10, wait=0)
    message = ChunkMessage.decode(received.body)
    best = true_minimum(PROBLEM)
    assert best is not None
    report = ResultMessage(
        job=message.job,
        attempt=message.attempt,
        chunk=message.chunk,
        plan=message.plan,
        token=message.token,
        best=best.key(),
        worker="w",
        seconds=0.1,
    )
    world.results.send([report.encode()])

    run(world)

    assert grid_view(world.job(job)).result == best


def test_results_wait_while_the_secret_cannot_be_read(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    collector = world.collector()
    collector._signer = Signer(_Busy())  # type: ignore[arg-type]

    collected = collector.step()

    assert (collected.merged, len(collected.postponed)) == (0, 1)
    assert world.left(world.results) == 4


class _Busy:
    def secret(self) -> bytes:
        raise ServiceBusy("away")


def test_no_job_is_accepted_while_the_secret_cannot_be_read(world: World) -> None:
    service = replace(a_service(world), signer=Signer(_Busy()))  # type: ignore[arg-type]

    with pytest.raises(ServiceBusy):
        service.submit(work_of(PROBLEM))

    assert world.ledger.unfinished() == []


# --- the winner


@pytest.mark.parametrize("index", range(0, 64, 7))
def test_a_true_value_of_a_point_that_is_not_the_least_becomes_no_answer(
    world: World, index: int
) -> None:
    job = world.submit(PROBLEM)
    for chunk in range(4):
        world.results.send([a_result(job, chunk, at(PROBLEM, index), worker="liar").encode()])

    run(world)

    again = world.job(job)
    if at(PROBLEM, index) == true_minimum(PROBLEM):
        assert again.state is JobState.DONE
        return
    assert (again.state, again.refusals) == (JobState.QUEUED, 1)
    assert answer_object(PROBLEM.sha) not in world.store.objects
    assert set(world.ledger.suspects(["liar"])) == {"liar"}


def test_of_a_large_grid_a_crude_lie_is_refused_though_few_points_are_sampled(
    world: World,
) -> None:
    job = world.submit(LARGE, chunks=1)
    world.results.send([a_result(job, 0, at(LARGE, 0)).encode()])

    run(world)

    assert world.job(job).refusals == 1


def test_a_true_minimum_of_a_large_grid_is_never_refused(world: World) -> None:
    job = world.submit(LARGE, chunks=1)
    world.results.send([a_result(job, 0, true_minimum(LARGE)).encode()])

    run(world)

    assert grid_view(world.job(job)).result == true_minimum(LARGE)


def test_the_suspect_is_who_overlooked_the_lesser_point_and_not_who_found_the_winner(
    world: World,
) -> None:
    job = world.submit(PROBLEM)
    best = true_minimum(PROBLEM)
    assert best is not None
    holding = grid_view(job).chunking.chunk_at(PROBLEM.grid.triple(best.index))
    honest = [chunk for chunk in range(4) if chunk != holding]
    world.answer(job, PROBLEM, honest, worker="honest")
    world.results.send([a_result(job, holding, None, worker="liar").encode()])
    heard: list[ObjectRefusal] = []

    finisher = replace(world.finisher(), refused=heard.append)
    world.collector().step()
    if world.job(job).refusals == 0:
        finisher.finish(world.job(job))

    assert set(world.ledger.suspects(["honest", "liar"])) == {"liar"}


def test_a_claim_that_nothing_qualifies_is_refused_where_something_does(world: World) -> None:
    job = world.submit(PROBLEM)
    for chunk in range(4):
        world.results.send([a_result(job, chunk, None).encode()])

    run(world)

    assert (world.job(job).state, world.job(job).refusals) == (JobState.QUEUED, 1)


@pytest.mark.parametrize("ion", [0, 1, -1])
def test_a_series_whose_second_point_is_not_the_least_left_is_refused(
    world: World, ion: int
) -> None:
    problem = a_problem(5, atoms=7, series=Series(3, 1.0, ion))
    true = true_series(problem)
    acting = problem.series.with_found(  # type: ignore[union-attr]
        problem.series.acting(problem.atoms),  # type: ignore[union-attr]
        problem.grid,
        [true[0].index],
    )
    far = next(
        Minimum(value, index)
        for index in range(problem.grid.points - 1, -1, -1)
        if (value := potential(problem.grid, acting, index)) is not None
        and value > true[-1].value
        and index not in {point.index for point in true}
    )
    job = world.submit(problem)
    world.results.send([a_series(job, true[0], far).encode()])

    run(world)

    assert (world.job(job).state, world.job(job).refusals) == (JobState.QUEUED, 1)


def test_a_discarded_attempt_ends_as_integrity_after_some_more(world: World) -> None:
    job = world.submit(PROBLEM, refusals=MAX_REFUSALS)
    for chunk in range(4):
        world.results.send([a_result(job, chunk, None, worker="liar").encode()])

    run(world)

    error = world.job(job).error
    assert error is not None
    assert error.code == INTEGRITY
    assert "liar" in error.detail
    assert "2 attempts before" in error.detail


def test_every_collector_begins_the_same_next_attempt(world: World) -> None:
    job = world.submit(PROBLEM)
    world.ledger.merge(
        job.id,
        job.attempt,
        frozenset(range(4)),
        a_register(Minimum(-1e9, 0)),
        worker="liar",
        now=NOW,
    )
    seen = world.job(job)

    assert world.finisher().finish(seen) is None
    once = world.job(job)
    assert world.finisher().finish(seen) is None  # another one, which read the job before

    assert world.job(job) == once
    assert (once.refusals, once.deadline, once.created) == (1, job.deadline, job.created)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(3))
def test_a_refusal_whose_calls_fail_is_made_up_for(
    world: World,
    call: int,
    after: bool,  # noqa: FBT001
) -> None:
    job = world.submit(PROBLEM)
    world.ledger.merge(
        job.id,
        job.attempt,
        frozenset(range(4)),
        a_register(Minimum(-1e9, 0)),
        worker="liar",
        now=NOW,
    )

    with pytest.raises(ServiceBusy):
        world.finisher(Fuse(breaks_at=call, after=after)).finish(world.job(job))
    world.reconciler().step()

    assert world.job(job).refusals == 1
    assert set(world.ledger.suspects(["liar"])) == {"liar"}


def test_the_sample_depends_on_the_secret_and_on_the_report() -> None:
    job, one, other = a_job(), Signer(World().ledger), Signer(_Other())  # type: ignore[arg-type]

    seeds = {one.seed(job, "a"), one.seed(job, "b"), other.seed(job, "a")}

    assert len(seeds) == 3
    assert one.seed(job, "a") in seeds


class _Other:
    def secret(self) -> bytes:
        return b"another one" * 3
