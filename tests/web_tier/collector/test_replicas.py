"""Chunks that two workers compute: nothing of them counts before two agree, or only one comes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.job import Job, JobState
from gridwell.engine.register import Best
from gridwell.engine.replica import Replica, settled
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.replicas import agree
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.work import work_of
from tests.harness.builders import NOW, SIGNER, a_job, a_problem, a_result, a_series, an_error
from tests.harness.oracle import true_minimum, true_series
from tests.harness.web import World
from tests.harness.web_http import a_service
from web_tier.collector.replicas import ASK_SECONDS, PATIENCE_SECONDS

if TYPE_CHECKING:
    from web_tier.collector.collector import Collector
    from web_tier.collector.finisher import Finisher
    from web_tier.collector.reconciler import Reconciler

PROBLEM = a_problem()
FOUR = range(4)


class Doubling(World):
    """A world in which two workers compute each chunk."""

    def finisher(self, fuse: object = None) -> Finisher:
        del fuse
        return replace(super().finisher(), doubled_share=1.0)


@pytest.fixture
def world() -> Doubling:
    return Doubling()


def report(world: World, job: Job, worker: str, *chunks: int) -> None:
    world.answer(job, PROBLEM, chunks, worker=worker)


def collect(world: World) -> None:
    collector: Collector = world.collector()
    while collector.step().received:
        pass


def an_opinion(worker: str, *points: Minimum, chunk: int = 0) -> Replica:
    keys = tuple(point.key() for point in points)
    return Replica(task=chunk, worker=worker, keys=keys, at=NOW)


def test_a_doubled_chunk_is_sent_twice() -> None:
    world = Doubling()
    replace(a_service(world), doubled_share=1.0).submit(work_of(a_problem(24, atoms=200)))

    sent = world.queued_chunks()

    assert sent == sorted([*set(sent), *set(sent)])


def test_without_the_setting_each_chunk_is_sent_once_and_counts_at_once() -> None:
    world = World()
    job = world.submit(PROBLEM)
    report(world, job, "one", *FOUR)

    collect(world)

    assert world.job(job).state is JobState.DONE
    assert world.job(job).replicas == frozenset()


def test_one_worker_alone_ends_nothing_and_a_second_one_does(world: Doubling) -> None:
    job = world.submit(PROBLEM)
    report(world, job, "one", *FOUR)
    report(world, job, "one", *FOUR)
    collect(world)
    held = world.job(job)
    assert (held.state, held.done) == (JobState.RUNNING, frozenset())

    report(world, job, "two", *FOUR)
    collect(world)

    assert grid_view(world.job(job)).result == true_minimum(PROBLEM)
    assert world.job(job).workers == {"one", "two"}


def test_a_third_worker_decides_and_the_liar_is_recorded(world: Doubling) -> None:
    job = world.submit(PROBLEM)
    best = true_minimum(PROBLEM)
    assert best is not None
    chunk = grid_view(job).chunking.chunk_at(PROBLEM.grid.triple(best.index))
    world.results.send([a_result(job, chunk, None, worker="liar").encode()])
    report(world, job, "two", *FOUR)
    collect(world)
    assert chunk not in world.job(job).done

    report(world, job, "three", *FOUR)
    collect(world)
    report(world, job, "one", *FOUR)
    collect(world)

    assert grid_view(world.job(job)).result == best
    assert set(world.ledger.suspects(["liar", "one", "two", "three"])) == {"liar"}


def test_a_second_opinion_that_does_not_come_is_asked_for_and_then_done_without(
    world: Doubling,
) -> None:
    job = world.submit(PROBLEM, sent_at=NOW, resend_at=NOW + 1e4)
    report(world, job, "alone", *FOUR)
    collect(world)
    reconciler: Reconciler = world.reconciler()

    world.clock.advance(ASK_SECONDS + 1)
    (asked,) = reconciler.step()
    assert asked.did == "second opinions asked for of 4 chunks"
    assert world.queued_chunks() == [0, 1, 2, 3]
    for _ in range(12):
        world.clock.advance(PATIENCE_SECONDS / 4)
        reconciler.step()

    assert grid_view(world.job(job)).result == true_minimum(PROBLEM)


def test_an_attempt_whose_workers_contradict_each_other_is_discarded(world: Doubling) -> None:
    job = world.submit(PROBLEM, sent_at=NOW, resend_at=NOW + 1e4)
    best = true_minimum(PROBLEM)
    assert best is not None
    chunk = grid_view(job).chunking.chunk_at(PROBLEM.grid.triple(best.index))
    world.results.send([a_result(job, chunk, None, worker="one").encode()])
    report(world, job, "two", chunk)
    collect(world)

    world.clock.advance(PATIENCE_SECONDS + 1)
    world.reconciler().step()

    again = world.job(job)
    assert (again.refusals, again.state, again.replicas) == (1, JobState.QUEUED, frozenset())


def test_a_series_needs_the_same_points_from_two(world: Doubling) -> None:
    problem = a_problem(5, atoms=7, series=Series(2, 1.0))
    points = true_series(problem)
    job = world.submit(problem)
    world.results.send([a_series(job, points[0], worker="liar").encode()])
    world.results.send([a_series(job, *points, worker="one").encode()])
    collect(world)
    assert not world.job(job).complete

    world.results.send([a_series(job, *points, worker="two").encode()])
    collect(world)

    assert grid_view(world.job(job)).points == points
    assert set(world.ledger.suspects(["liar", "one", "two"])) == {"liar"}


def test_failures_of_doubled_chunks_are_recorded_as_others(world: Doubling) -> None:
    job = world.submit(PROBLEM)
    world.results.send([an_error(job, 1).encode()])

    collect(world)

    assert world.ledger.read_failure(job.id, job.attempt, 1) is not None


# --- what agrees


def test_reports_of_points_in_the_box_agree_only_if_they_are_equal() -> None:
    job = a_job(PROBLEM)
    box, inside, outside = grid_view(job).chunking.box(0), 0, grid_view(job).grid.points - 1

    def fit(one: Replica, other: Replica) -> bool:
        both = agree(one, other, grid_view(job).grid, box, series=False)
        assert both is agree(other, one, grid_view(job).grid, box, series=False)
        return both

    low, high = an_opinion("a", Minimum(-2.0, inside)), an_opinion("b", Minimum(-1.0, inside))
    elsewhere = an_opinion("c", Minimum(-1.5, outside))
    nothing = an_opinion("d")
    assert fit(low, replace(low, worker="e"))
    assert not fit(low, high)
    assert not fit(low, elsewhere)  # it overlooked a point of the box that is less
    assert fit(high, elsewhere)
    assert not fit(low, nothing)
    assert fit(nothing, elsewhere)
    assert fit(nothing, replace(nothing, worker="f"))


@given(st.lists(st.sampled_from("abc"), max_size=6))
def test_one_worker_never_agrees_with_itself(workers: list[str]) -> None:
    opinions = [
        replace(an_opinion(worker, Minimum(-1.0, 0)), at=NOW + k)
        for k, worker in enumerate(workers)
    ]

    pair, wrong = settled(opinions, lambda one, other: one.keys == other.keys)

    assert bool(pair) is (len(set(workers)) > 1)
    assert not wrong
    assert len({each.worker for each in pair}) == len(pair)


def test_an_opinion_comes_back_as_it_was() -> None:
    opinion = replace(an_opinion("w", Minimum(-1.5, 7), Minimum(0.25, 3)), digest="d" * 64)

    assert Replica.decode(opinion.encode()) == opinion


def test_a_replica_gives_the_register_that_its_report_had() -> None:
    alone, several = Best("a", by="w"), Best("a", ("a", "b"), "w")

    for best in (alone, several, None):
        assert Replica.of(3, best, worker="w", at=NOW).best == best


def test_which_chunks_are_doubled_hangs_on_the_secret_and_the_share() -> None:
    job = a_job(PROBLEM)
    chunks = range(1000)

    drawn = [chunk for chunk in chunks if SIGNER.is_doubled(job, chunk, 0.25)]

    assert 180 < len(drawn) < 320
    assert drawn == [chunk for chunk in chunks if SIGNER.is_doubled(job, chunk, 0.25)]
    assert all(SIGNER.is_doubled(job, chunk, 1.0) for chunk in chunks)
    assert not any(SIGNER.is_doubled(job, chunk, 0.0) for chunk in chunks)
