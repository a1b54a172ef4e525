"""One job through submit, workers and collector, in one process on memory doubles."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_tier.kinds.registry import RUNNERS
from app_tier.worker.context import WorkerPorts
from app_tier.worker.worker import Worker, WorkerConfig
from gridwell.engine.errors import HopelessJob, InvalidJob
from gridwell.engine.job import INTEGRITY, Job, JobState
from gridwell.engine.object_keys import record_object
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.series_points import flaw
from gridwell.kinds.grid.work import work_of
from tests.harness.builders import SIGNER, a_problem, a_result, a_series
from tests.harness.oracle import true_minimum, true_series
from tests.harness.web import World
from tests.harness.worker import ManualCompute
from web_tier.jobs.service import JobService

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.kinds.grid.problem import Problem


@pytest.fixture
def world() -> World:
    return World()


def service(world: World) -> JobService:
    numbers = itertools.count(1)
    return JobService(
        ledger=world.ledger,
        store=world.store,
        cache=world.cache,
        chunks=world.chunks,
        clock=world.clock,
        draw_attempt=lambda: f"{next(numbers):016x}",
        signer=SIGNER,
    )


def work_all(world: World) -> int:
    """Let a worker compute until it is idle, and say how many chunks it computed."""
    compute = ManualCompute(world.clock)
    compute.on_wait = compute.end
    worker = Worker(
        WorkerPorts(
            chunks=world.chunks,
            results=world.results,
            store=world.store,
            jobs=world.ledger,
            fleet=world.ledger,
            compute=compute,
            runners=RUNNERS,
            clock=world.clock,
            chance=lambda: 0.5,
        ),
        WorkerConfig(worker="worker-1", version="1", poll_seconds=1.0, minimum_uptime=0.0),
    )
    while worker.step().exit is None:
        pass
    return world.ledger.heartbeats(["worker-1"])["worker-1"].chunks


def collect_all(world: World) -> None:
    collector = world.collector()
    while collector.step().received:
        pass


def assert_true(world: World, job: Job | None, problem: Problem) -> None:
    assert job is not None
    assert (job.state, grid_view(job).result) == (JobState.DONE, true_minimum(problem))
    assert world.left(world.chunks) == world.left(world.results) == 0


def test_a_job_is_submitted_computed_collected_and_read(world: World) -> None:
    problem = a_problem(32, atoms=3)  # the smallest cube that is cut
    tier = service(world)

    job = tier.submit(work_of(problem))
    assert job.state is JobState.QUEUED
    assert work_all(world) == job.tasks == 8
    collect_all(world)

    assert_true(world, tier.read(job.id), problem)
    record = json.loads(world.store.objects[record_object(job.id, job.attempt)])
    best = true_minimum(problem)
    assert best is not None
    assert record["Result"]["minimum"] == best.value


@given(
    st.integers(2, 6),
    st.integers(1, 20),
    st.integers(0, 2**31),
    st.sampled_from([0.0, 0.8, 4.0]),
    st.sampled_from([0.0, 0.5]),
)
@settings(max_examples=25, deadline=None)
def test_any_answer_is_that_of_brute_force(
    n: int, atoms: int, seed: int, min_distance: float, softening: float
) -> None:
    world = World()
    problem = a_problem(n, atoms=atoms, seed=seed, min_distance=min_distance, softening=softening)
    best = true_minimum(problem)
    tier = service(world)
    if best is None:
        with pytest.raises(HopelessJob, match="no point qualifies"):
            tier.submit(work_of(problem))
        return

    job = tier.submit(work_of(problem))
    work_all(world)
    collect_all(world)

    assert_true(world, tier.read(job.id), problem)


def test_asking_again_is_joining_and_then_the_answer(world: World) -> None:
    problem = a_problem(6, atoms=9)
    tier = service(world)

    first, second = tier.submit(work_of(problem)), tier.submit(work_of(problem))
    assert work_all(world) == 1
    collect_all(world)
    third = tier.submit(work_of(problem))

    assert first.attempt == second.attempt == third.attempt
    assert_true(world, third, problem)


def test_another_client_gets_the_same_answer_without_computing(world: World) -> None:
    problem = a_problem(6, atoms=9)
    tier = service(world)
    replace(tier, client="one").submit(work_of(problem))
    work_all(world)
    collect_all(world)

    other = replace(tier, client="two").submit(work_of(problem))

    assert_true(world, other, problem)


def test_a_submitter_that_dies_before_sending_is_stood_in_for(world: World) -> None:
    problem = a_problem(5, atoms=4)
    tier = service(world)
    job = world.submit(problem)  # stored, and not a message sent
    assert tier.submit(work_of(problem)).attempt == job.attempt  # an impatient client joins
    world.clock.advance(20)

    world.reconciler().step()
    assert work_all(world) == job.tasks
    collect_all(world)

    assert_true(world, tier.read(job.id), problem)


def test_everything_delivered_twice_and_out_of_order_is_the_same_answer(world: World) -> None:
    problem = a_problem(32, atoms=2, seed=3)
    tier = service(world)
    job = tier.submit(work_of(problem))
    held = world.chunks.receive(at_most=10, wait=0)
    world.clock.advance(61)  # the leases run out: all chunks come again

    assert work_all(world) == 8
    world.chunks.send([received.body for received in reversed(held)])
    assert work_all(world) == 8  # nothing is merged yet, so all of it is computed again
    collect_all(world)

    assert_true(world, tier.read(job.id), problem)


def test_a_forgetful_cache_changes_no_answer(world: World) -> None:
    problem = a_problem(6, atoms=9, seed=2)
    tier = service(world)
    job = tier.submit(work_of(problem))
    world.cache.clear()
    work_all(world)
    collect_all(world)
    world.cache.clear()

    assert_true(world, tier.read(job.id), problem)
    world.cache.clear()
    assert_true(world, tier.submit(work_of(problem)), problem)


def test_a_job_without_a_point_says_so_in_the_same_words_at_the_door_and_later(
    world: World,
) -> None:
    problem = a_problem(4, min_distance=100.0)
    with pytest.raises(HopelessJob, match="no point qualifies") as refused:
        service(world).submit(work_of(problem))
    job = world.submit(problem, chunks=2)  # as if it had been too large to check
    world.clock.advance(20)
    world.reconciler().step()
    work_all(world)
    collect_all(world)

    error = world.job(job).error
    assert error is not None
    assert error.code == NO_CANDIDATE_POINT
    assert error.detail in str(refused.value)


@pytest.mark.parametrize("ion", [0, 1, -1])
def test_a_series_is_computed_collected_and_read(world: World, ion: int) -> None:
    problem = a_problem(34, atoms=3, series=Series(4, 9.0, ion))  # a cube that would be cut
    small = a_problem(6, atoms=3, series=Series(4, 2.5, ion))
    tier = service(world)

    job, other = tier.submit(work_of(problem)), tier.submit(work_of(small))
    assert job.tasks == other.tasks == 1
    assert work_all(world) == 2
    collect_all(world)

    done = tier.read(other.id)
    assert done is not None
    assert (done.state, grid_view(done).points) == (JobState.DONE, true_series(small))
    assert grid_view(done).result == grid_view(done).points[0]
    record = json.loads(world.store.objects[record_object(other.id, other.attempt)])
    assert [each["minimum"] for each in record["Points"]] == [
        each.value for each in grid_view(done).points
    ]
    large = tier.read(job.id)
    assert large is not None
    assert flaw(problem, grid_view(large).points) is None


def test_a_series_that_runs_out_of_points_ends_with_those_it_has(world: World) -> None:
    problem = a_problem(4, atoms=3, series=Series(9, 3.5))
    tier = service(world)

    job = tier.submit(work_of(problem))
    work_all(world)
    collect_all(world)

    done = tier.read(job.id)
    assert done is not None
    assert grid_view(done).points == true_series(problem)
    assert 1 < len(grid_view(done).points) < 9


def test_a_known_series_is_an_answer_without_computing(world: World) -> None:
    problem = a_problem(6, atoms=9, series=Series(5, 1.0, 1))
    replace(service(world), client="one").submit(work_of(problem))
    work_all(world)
    collect_all(world)
    world.cache.clear()

    other = replace(service(world), client="two").submit(work_of(problem))

    assert (other.state, grid_view(other).points) == (JobState.DONE, true_series(problem))


def test_a_series_that_would_take_too_long_is_refused_with_a_remedy(world: World) -> None:
    problem = a_problem(160, atoms=40_000, series=Series(200, 1.0))

    with pytest.raises(InvalidJob, match=r"/top: 200 points.*estimated to take \d+ s.*ask for \d"):
        service(world).submit(work_of(problem))


@pytest.mark.parametrize(
    "lie",
    [
        lambda points: (*points[:-1], Minimum(points[-1].value - 1.0, points[-1].index)),
        lambda points: points[:-1],
        lambda points: (points[0], points[0]),
    ],
)
def test_a_wrong_series_becomes_no_answer(
    world: World, lie: Callable[[tuple[Minimum, ...]], tuple[Minimum, ...]]
) -> None:
    problem = a_problem(6, atoms=9, series=Series(3, 1.0, 1))
    job = world.submit(problem)
    for _ in range(3):
        attempt = world.job(job)
        world.results.send([a_series(attempt, *lie(true_series(problem))).encode()])
        collect_all(world)

    error = world.job(job).error
    assert error is not None
    assert error.code == INTEGRITY


def test_a_result_of_another_kind_than_its_job_is_refused(world: World) -> None:
    job = world.submit(a_problem(6, atoms=9, series=Series(3, 1.0, 1)))
    world.results.send([a_result(job, 0, Minimum(-1.0, 2)).encode()])

    collected = world.collector().step()

    assert (collected.merged, world.job(job).best) == (0, None)
    assert "a result of one kind, and a job of another" in collected.refused[0]
