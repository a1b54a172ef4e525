"""Results in any order, any number of times, from anybody: the job ends with the true minimum."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidMessage, ServiceBusy
from gridwell.engine.job import INTEGRITY, Job, JobError, JobState
from gridwell.engine.object_keys import problem_object, record_object
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import NOW, OTHER_ATTEMPT, a_job, a_problem, a_result
from tests.harness.oracle import true_minimum
from tests.harness.web import Died, Fuse, World
from web_tier.jobs.cached_jobs import decode_final, decode_progress, final_key, progress_key

if TYPE_CHECKING:
    from gridwell.engine.messages import ResultMessage
    from gridwell.kinds.grid.problem import Problem
    from web_tier.collector.collector import Collector

PROBLEM = a_problem()
BEST = true_minimum(PROBLEM)


@pytest.fixture
def world() -> World:
    return World()


def deliver(world: World, *messages: ResultMessage) -> None:
    assert world.results.send([message.encode() for message in messages]) == []


def run(world: World, *collectors: Collector) -> None:
    """Step collectors in turn until the results have been away for a whole lease, and again."""
    collectors = collectors or (world.collector(),)
    for _ in range(20):
        for collector in collectors:
            collector.step()
        world.clock.advance(20)


def assert_done(world: World, job: Job, problem: Problem = PROBLEM) -> None:
    ended = world.job(job)
    assert (ended.state, grid_view(ended).result) == (JobState.DONE, true_minimum(problem))
    assert world.left(world.results) == 0


# --- merging


def test_all_results_of_a_job_make_its_answer(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)

    collected = world.collector().step()

    assert_done(world, job)
    assert (collected.received, collected.merged, collected.late) == (4, 4, 0)
    assert collected.ended == [world.job(job)]
    assert record_object(job.id, job.attempt) in world.store.objects


def test_some_results_make_a_running_job_that_shows_its_progress(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM, [1, 3])
    world.clock.advance(5)

    collected = world.collector().step()

    running = world.job(job)
    assert running.state is JobState.RUNNING
    assert running.done == {1, 3}
    assert running.moved == NOW + 5
    assert running.workers == {"worker-1"}
    assert collected.ended == []
    key = progress_key(job.id)
    progress = decode_progress(world.values.get_many([key])[key], job.id)
    assert progress is not None
    assert (progress.attempt, progress.done) == (job.attempt, frozenset({1, 3}))


def test_a_finished_job_is_in_the_cache_before_its_results_are_deleted(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    # Every call after the receive; the last one is the delete.
    calls = Fuse()
    twin = World()
    twin.answer(twin.submit(PROBLEM), PROBLEM)
    twin.collector(calls).step()

    with pytest.raises(Died):
        world.collector(Fuse(breaks_at=calls.calls - 1, error=Died)).step()

    data = world.values.get_many([final_key(job.id)])[final_key(job.id)]
    final = decode_final(data, job.id)
    assert final is not None
    assert grid_view(final).result == BEST
    assert world.left(world.results) == 4


@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=15), st.integers(1, 3))
@settings(max_examples=50)
def test_any_order_duplicates_and_collectors_give_the_same_answer(
    order: list[int], duplicates: list[int], collectors: int
) -> None:
    world = World()
    job = world.submit(PROBLEM, chunks=8)
    world.answer(job, PROBLEM, [*order[:4], *duplicates, *order[4:]])

    run(world, *(world.collector() for _ in range(collectors)))

    assert_done(world, job)


def test_results_of_several_jobs_and_workers_come_mixed(world: World) -> None:
    problems = [a_problem(seed=seed) for seed in range(5)]
    jobs = [world.submit(problem, chunks=8) for problem in problems]
    bodies = [
        a_result(
            job,
            chunk,
            true_minimum(problem, grid_view(job).chunking.box(chunk)),
            worker=f"w{chunk % 3}",
        ).encode()
        for job, problem in zip(jobs, problems, strict=True)
        for chunk in range(8)
    ]
    random.Random(1).shuffle(bodies)
    world.results.send(bodies)

    run(world, world.collector(), world.collector())

    for job, problem in zip(jobs, problems, strict=True):
        assert_done(world, job, problem)
        assert world.job(job).workers == {"w0", "w1", "w2"}


def test_a_chunk_without_a_candidate_counts_as_done(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM, [0, 1, 2])
    deliver(world, a_result(job, 3, None))

    run(world)

    assert world.job(job).state is JobState.DONE


def test_a_job_without_any_candidate_fails_with_that_reason(world: World) -> None:
    problem = a_problem(min_distance=50.0)
    job = world.submit(problem)
    world.answer(job, problem)

    collected = world.collector().step()

    error = world.job(job).error
    assert error is not None
    assert error.code == NO_CANDIDATE_POINT
    assert collected.ended == [world.job(job)]
    assert world.left(world.results) == 0


def test_a_minimum_outside_its_chunk_is_the_incumbent_and_welcome(world: World) -> None:
    job = world.submit(PROBLEM)
    deliver(world, *(a_result(job, chunk, BEST) for chunk in range(4)))

    run(world)

    assert_done(world, job)


def test_an_empty_queue_is_no_work(world: World) -> None:
    collected = world.collector().step()

    assert (collected.received, collected.merged, collected.refused) == (0, 0, [])


# --- late and forged results


@pytest.mark.parametrize("ending", ["done", "failed", "other attempt", "never was"])
def test_a_late_result_changes_nothing_and_goes_away(world: World, ending: str) -> None:
    job = world.submit(PROBLEM)
    message = a_result(job, 0, Minimum(-1e9, 0))
    if ending == "done":
        world.answer(job, PROBLEM)
        run(world)
    elif ending == "failed":
        world.ledger.fail(job.id, job.attempt, JobError("x", "y"), now=NOW)
    elif ending == "other attempt":
        message = a_result(job, 0, Minimum(-1e9, 0), attempt=OTHER_ATTEMPT)
    else:
        message = a_result(job, 0, Minimum(-1e9, 0), job="f" * 32)
    before = world.job(job)
    deliver(world, message)

    collected = world.collector().step()

    assert world.job(job) == before
    assert (collected.late, collected.merged) == (1, 0)
    assert world.left(world.results) == 0


def test_a_collector_that_knows_an_old_attempt_merges_only_the_new_one(world: World) -> None:
    job = world.submit(PROBLEM)
    collector = world.collector()
    world.answer(job, PROBLEM, [0])
    collector.step()
    world.ledger.fail(job.id, job.attempt, JobError("x", "y"), now=NOW)
    again = a_job(PROBLEM, attempt=OTHER_ATTEMPT, run=2)
    assert world.ledger.create(again, replaces=world.job(job))

    world.answer(job, PROBLEM, [1, 2, 3])  # late
    world.answer(again, PROBLEM, [2])
    collector.step()

    assert world.job(job).attempt == OTHER_ATTEMPT
    assert world.job(job).done == {2}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"chunk": 4}, "a result of chunk 4, the job has 4"),
        ({"chunk": 10**30}, "the job has 4"),
        ({"plan": "0" * 64}, "a result of plan 000"),
        ({"best": Minimum(-9.0, 64).key()}, "a minimum at point 64, the grid has 64"),
        ({"best": "f" * 32}, "is not the key of a minimum"),
        ({"best": "8" * 31}, "is not the key of a minimum"),
        ({"best": "8000000000000000-000000000000001"}, "is not the key of a minimum"),
    ],
)
def test_a_result_that_cannot_be_of_its_job_is_refused(
    world: World, changes: dict[str, Any], why: str
) -> None:
    job = world.submit(PROBLEM)
    deliver(world, a_result(job, 0, Minimum(-1.0, 0), **changes))

    collected = world.collector().step()

    assert world.job(job) == job
    assert len(collected.refused) == 1
    assert why in collected.refused[0]
    assert world.left(world.results) == 0


def test_a_forged_result_does_not_spoil_the_true_ones_beside_it(world: World) -> None:
    job = world.submit(PROBLEM)
    deliver(world, a_result(job, 99, Minimum(-1e9, 0)))
    world.answer(job, PROBLEM)

    run(world)

    assert_done(world, job)


def test_an_attempt_with_a_false_minimum_is_discarded_and_the_next_one_ends_true(
    world: World,
) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM, [0, 1, 2], worker="honest")
    deliver(world, a_result(job, 3, Minimum(-1e9, 0), worker="liar"))

    run(world)

    again = world.job(job)
    assert (again.state, again.run, again.refusals) == (JobState.QUEUED, 2, 1)
    assert (again.done, again.best, again.workers) == (frozenset(), None, frozenset())
    assert again.attempt != job.attempt
    assert set(world.ledger.suspects(["honest", "liar"])) == {"liar"}
    world.reconciler().step()
    assert world.queued_chunks() == [0, 1, 2, 3]
    world.answer(again, PROBLEM)
    run(world)
    assert_done(world, again)


def test_three_attempts_with_a_false_minimum_fail_the_job_and_name_the_worker(
    world: World,
) -> None:
    job = world.submit(PROBLEM)
    for _ in range(3):
        attempt = world.job(job)
        world.answer(attempt, PROBLEM, [0, 1, 2], worker="honest")
        deliver(world, a_result(attempt, 3, Minimum(-1e9, 0), worker="liar"))
        run(world)

    failed = world.job(job)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, INTEGRITY)
    assert "liar" in failed.error.detail
    assert "honest" not in failed.error.detail
    assert failed.result is None


@pytest.mark.parametrize("body", ["", "garbage", "{}"])
def test_an_unreadable_result_goes_to_the_dead_letters(world: World, body: str) -> None:
    job = world.submit(PROBLEM)
    world.results.send([body])
    world.answer(job, PROBLEM)

    collected = world.collector().step()
    for _ in range(12):
        world.clock.advance(61)
        world.collector().step()

    assert len(collected.refused) == 1
    assert_done(world, job)
    assert [r.body for r in world.dead_results.receive(at_most=10, wait=0)] == [body]


@pytest.mark.parametrize("body", ['{"version": 3}', '{"version": 2, "kind": "sum"}'])
def test_a_result_of_another_release_is_kept_for_its_collector(world: World, body: str) -> None:
    world.results.send([body])
    collector = world.collector()
    collected = collector.step()
    for _ in range(12):
        world.clock.advance(61)
        collector.step()

    assert collected.refused == []
    assert "kept for a collector of another release" in collected.postponed[0]
    assert [r.body for r in world.dead_results.receive(at_most=10, wait=0)] == [body]


def test_a_job_that_this_release_cannot_read_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, well = world.submit(a_problem(seed=2)), world.submit(PROBLEM)
    world.answer(odd, a_problem(seed=2))
    world.answer(well, PROBLEM)
    read = world.ledger.read

    def read_one(job: str) -> Job | None:
        if job == odd.id:
            raise InvalidMessage(f"the ledger's item {job} does not hold a job")
        return read(job)

    def read_many(_: list[str]) -> None:
        raise InvalidMessage("one of them does not hold a job")

    with monkeypatch.context() as patch:
        patch.setattr(world.ledger, "read", read_one)
        patch.setattr(world.ledger, "read_many", read_many)
        collected = world.collector().step()

    assert world.job(well).state is JobState.DONE
    assert collected.postponed == [f"job {odd.id}: the ledger's item {odd.id} does not hold a job"]
    assert world.left(world.results) == 4


def test_jobs_that_go_on_are_merged_and_let_go_before_any_is_ended(world: World) -> None:
    ending, going = world.submit(PROBLEM), world.submit(a_problem(seed=2), chunks=8)
    world.answer(ending, PROBLEM)
    world.answer(going, a_problem(seed=2), [0])
    fuse = Fuse()
    seen: list[tuple[int, int]] = []
    get = world.store.get

    def slow(key: str) -> bytes | None:  # the first thing that ending a job needs
        seen.append((len(world.job(going).done), world.left(world.results)))
        return get(key)

    world.store.get = slow  # type: ignore[method-assign]
    world.collector(fuse).step()

    assert seen == [(1, 4)]
    assert_done(world, ending)


def test_results_of_jobs_whose_end_takes_long_stay_leased(world: World) -> None:
    problems = [a_problem(seed=seed) for seed in range(4)]
    jobs = [world.submit(problem, chunks=2) for problem in problems]
    for job, problem in zip(jobs, problems, strict=True):
        world.answer(job, problem)
    get = world.store.get
    visible: list[int] = []

    def slow(key: str) -> bytes | None:
        world.clock.advance(25)
        visible.append(world.results.depth().visible)
        return get(key)

    world.store.get = slow  # type: ignore[method-assign]
    world.collector().step()

    assert visible == [0, 0, 0, 0]
    assert world.left(world.results) == 0
    assert all(world.job(job).state is JobState.DONE for job in jobs)


# --- dying between any two calls


def calls_of(chunks: int) -> int:
    """How many port calls a step makes that merges so many results and ends the job."""
    world, fuse = World(), Fuse()
    job = world.submit(PROBLEM, chunks=chunks)
    world.answer(job, PROBLEM, worker="a")
    world.collector(fuse).step()
    assert world.job(job).state is JobState.DONE
    return fuse.calls


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(calls_of(4)))
def test_dying_before_or_after_any_call_loses_nothing(
    world: World, call: int, *, after: bool
) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    fuse = Fuse(breaks_at=call, error=Died, after=after)

    with pytest.raises(Died):
        world.collector(fuse).step()
    assert world.job(job).state is not JobState.FAILED
    run(world)

    assert fuse.broke
    assert_done(world, job)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(1, calls_of(4)))
def test_a_busy_service_is_told_and_the_same_collector_goes_on(
    world: World, call: int, *, after: bool
) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    fuse = Fuse(breaks_at=call, after=after)
    collector = world.collector(fuse)

    collected = collector.step()
    run(world, collector)

    assert fuse.broke
    assert len(collected.postponed) == 1
    assert "broke" in collected.postponed[0]
    assert_done(world, job)


def test_a_queue_that_cannot_be_read_is_an_error_of_the_step(world: World) -> None:
    with pytest.raises(ServiceBusy, match="receive broke"):
        world.collector(Fuse(breaks_at=0)).step()


def test_ends_are_told_even_if_their_results_cannot_be_deleted(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)

    collected = world.collector(Fuse(breaks_at=calls_of(4) - 1)).step()

    assert collected.ended == [world.job(job)]
    assert collected.postponed == ["deleting 4 results: delete broke"]


def test_one_jobs_trouble_does_not_hold_up_another(world: World) -> None:
    sick, well = world.submit(PROBLEM), world.submit(a_problem(seed=2))
    world.store.objects[problem_object(PROBLEM.sha)] = b"garbage"
    world.answer(sick, PROBLEM)
    world.answer(well, a_problem(seed=2))

    collected = world.collector().step()

    assert world.job(well).state is JobState.DONE
    assert world.job(sick).state is JobState.RUNNING
    assert len(collected.postponed) == 1
    assert world.left(world.results) == 4  # the sick job's stay, and come again


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(calls_of(4)))
def test_two_collectors_that_die_in_turn_lose_nothing(
    world: World, call: int, *, after: bool
) -> None:
    job = world.submit(PROBLEM, chunks=16)
    world.answer(job, PROBLEM)
    world.answer(job, PROBLEM, [0, 5, 9])
    other = world.collector()

    fuse = Fuse(breaks_at=call, error=Died, after=after)
    first = world.collector(fuse)
    with contextlib.suppress(Died):
        for _ in range(8):
            first.step()
            other.step()
    assert fuse.broke
    run(world, other, world.collector())

    assert_done(world, job)


# --- two at a time, and a forgetful cache


@pytest.mark.parametrize("moment", range(calls_of(4)))
def test_another_collectors_whole_step_may_come_between_any_two_calls(
    world: World, moment: int
) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    world.answer(job, PROBLEM)  # everything twice, so that both have something in hand
    world.answer(job, PROBLEM)
    calls = 0

    def interleave() -> None:
        nonlocal calls
        calls += 1
        if calls == moment + 1:
            world.collector().step()

    run(world, world.collector(Fuse(on_call=interleave)))

    assert calls > moment
    assert_done(world, job)


@pytest.mark.parametrize("moment", range(calls_of(4)))
def test_the_cache_may_be_cleared_at_any_moment(world: World, moment: int) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    calls = 0

    def forget() -> None:
        nonlocal calls
        calls += 1
        if calls == moment + 1:
            world.cache.clear()

    world.collector(Fuse(on_call=forget)).step()

    assert calls > moment
    assert_done(world, job)


def test_more_attempts_than_are_remembered_are_still_merged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.collector.collector._KNOWN", 2)
    problems = [a_problem(2, seed=seed) for seed in range(6)]
    jobs = [world.submit(problem, chunks=2) for problem in problems]
    for job, problem in zip(jobs, problems, strict=True):
        world.answer(job, problem)

    run(world)

    for job, problem in zip(jobs, problems, strict=True):
        assert_done(world, job, problem)


def test_a_plan_is_read_once_and_not_for_each_result(world: World) -> None:
    job = world.submit(PROBLEM, chunks=16)
    fuse = Fuse()
    collector = world.collector(fuse)
    world.answer(job, PROBLEM, [0])
    collector.step()
    before = fuse.calls

    world.answer(job, PROBLEM, [1, 2, 3])
    collector.step()

    assert fuse.calls - before == 3  # receive, merge, delete
