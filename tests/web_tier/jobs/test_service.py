"""Submitting: each row of the protocol's tables, and what each crash leaves behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridwell.engine.errors import HopelessJob, ServiceBusy, ServiceDenied
from gridwell.engine.job import CHUNK_FAILED, KEPT_SECONDS, JobError, JobState, job_id
from gridwell.engine.messages import ChunkMessage
from gridwell.engine.object_keys import answer_object, problem_object, record_object
from gridwell.kinds.grid import cost
from gridwell.kinds.grid.answer import encode_answer
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_DETAIL, NO_CANDIDATE_POINT
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.names import MAP_KIND, SERIES_KIND
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.work import work_of
from tests.harness.builders import a_problem
from tests.harness.oracle import true_minimum
from tests.harness.web import Died, Fuse, World
from tests.harness.web_http import Site, a_service, problem_of
from web_tier.jobs.cached_jobs import (
    answer_key,
    decode_final,
    decode_progress,
    encode_final,
    final_key,
    progress_key,
)
from web_tier.jobs.enqueue import CHUNK_SECONDS

BROKEN = JobError(CHUNK_FAILED, "chunk 0 was given back")
HOPELESS = JobError(NO_CANDIDATE_POINT, NO_CANDIDATE_DETAIL, permanent=True)


def test_a_new_problem_becomes_a_queued_job_with_all_its_messages() -> None:
    world, problem = World(), a_problem(40, atoms=50)

    job = a_service(world).submit(work_of(problem, seed=1))

    stored = world.job(job)
    assert (stored.state, stored.run, grid_view(stored).seed) == (JobState.QUEUED, 1, 1)
    assert stored.id == job_id("public", problem.sha)
    assert stored.tasks == cost.chunk_count((40, 40, 40), 50) == 8
    assert world.queued_chunks() == list(range(8))
    assert stored.sent_at == world.clock.now()
    assert stored.resend_at == world.clock.now() + 120
    data = world.values.get_many([progress_key(job.id)])[progress_key(job.id)]
    progress = decode_progress(data, job.id)
    assert progress is not None
    assert (progress.attempt, progress.done) == (job.attempt, frozenset())


def test_the_stored_problem_is_the_one_asked_and_names_a_hint() -> None:
    world, problem = World(), a_problem()

    a_service(world).submit(work_of(problem))

    data = world.store.get(problem_object(problem.sha))
    assert data is not None
    stored = Problem.decode(data, sha=problem.sha)
    assert stored.incumbent is not None


def test_a_long_job_is_sent_again_only_after_three_times_its_expected_seconds() -> None:
    world, problem = World(), a_problem(60, atoms=250_000)

    job = world.job(a_service(world).submit(work_of(problem)))

    assert job.sent_at is not None
    drain = cost.seconds((60, 60, 60), 250_000)
    assert job.resend_at == job.sent_at + 3 * drain > job.sent_at + 120


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_the_same_problem_again_joins_the_job_and_sends_nothing(state: JobState) -> None:
    world, problem = World(), a_problem()
    first = a_service(world).submit(work_of(problem))
    world.queued_chunks()
    if state is JobState.RUNNING:
        chunks = frozenset({0})
        world.ledger.merge(first.id, first.attempt, chunks, None, worker="w", now=1.0)

    again = a_service(world).submit(work_of(problem))

    assert (again.attempt, again.state) == (first.attempt, state)
    assert world.queued_chunks() == []


def test_a_done_job_is_answered_from_the_cache_though_the_ledger_is_away() -> None:
    site = Site()
    done = site.done()
    fuse = Fuse(breaks_at=0)
    problem = problem_of(a_service(site.world), done)
    assert problem is not None

    again = a_service(site.world, fuse).submit(work_of(problem))

    assert (again.result, again.attempt) == (done.result, done.attempt)
    assert fuse.calls == 1


def test_reading_a_done_job_asks_nothing_but_the_cache() -> None:
    site = Site()
    done = site.done()
    fuse = Fuse(breaks_at=0)

    read = a_service(site.world, fuse).read(done.id)

    assert read is not None
    assert (read.result, read.attempt) == (done.result, done.attempt)
    assert fuse.calls == 0


def test_a_job_of_another_kind_is_another_job_and_computed_though_the_answer_is_known() -> None:
    site = Site()
    done = site.done()
    problem = problem_of(a_service(site.world), done)
    assert problem is not None

    job = a_service(site.world).submit(work_of(problem, kind=MAP_KIND))

    assert (job.state, job.kind) == (JobState.QUEUED, MAP_KIND)
    assert job.id == job_id("public", problem.sha, MAP_KIND) != done.id
    assert site.world.job(job) == replace(job, sent_at=job.created, resend_at=job.created + 120)
    assert a_service(site.world).submit(work_of(problem, kind=MAP_KIND)).attempt == job.attempt


def test_a_job_for_a_series_is_of_its_own_kind_and_shares_known_answers() -> None:
    site = Site()
    problem = replace(a_problem(), series=Series(3, 1.0))

    job = a_service(site.world).submit(work_of(problem))

    assert (job.id, job.kind) == (job_id("public", problem.sha), SERIES_KIND)
    assert job.tasks == 1
    (sent,) = site.world.chunks.receive(at_most=10, wait=0)
    assert ChunkMessage.decode(sent.body).kind == SERIES_KIND
    site.finish(job)
    theirs = replace(a_service(site.world), client="another").submit(work_of(problem))
    assert (theirs.state, theirs.kind) == (JobState.DONE, SERIES_KIND)
    assert grid_view(theirs).points == grid_view(site.world.job(job)).points


def test_a_done_job_that_the_cache_forgot_is_read_once_and_remembered() -> None:
    site = Site()
    done = site.done()
    site.world.cache.clear()
    problem = problem_of(a_service(site.world), done)
    assert problem is not None

    assert a_service(site.world).submit(work_of(problem)).result == done.result
    data = site.world.values.get_many([final_key(done.id)])[final_key(done.id)]
    assert decode_final(data, done.id) is not None


def test_a_failed_job_starts_a_new_attempt() -> None:
    world, problem = World(), a_problem()
    first = a_service(world).submit(work_of(problem))
    world.queued_chunks()
    assert world.finisher().fail(first, BROKEN) is not None

    again = a_service(world).submit(work_of(problem))

    assert (again.state, again.run) == (JobState.QUEUED, 2)
    assert again.attempt != first.attempt
    assert world.queued_chunks() == [0]
    assert final_key(again.id) not in world.values.get_many([final_key(again.id)])


def test_a_problem_that_failed_by_itself_stays_failed() -> None:
    world, problem = World(), a_problem()
    first = a_service(world).submit(work_of(problem))
    assert world.finisher().fail(first, HOPELESS) is not None
    world.cache.clear()

    again = a_service(world).submit(work_of(problem))

    assert (again.state, again.error, again.run) == (JobState.FAILED, HOPELESS, 1)


def test_an_expired_job_starts_a_new_attempt_even_if_it_was_done() -> None:
    site = Site()
    done = site.done()
    problem = problem_of(a_service(site.world), done)
    assert problem is not None
    site.world.clock.advance(KEPT_SECONDS + 1)
    site.world.store.objects.pop(answer_object(problem.sha))

    again = a_service(site.world).submit(work_of(problem))

    assert (again.state, again.run) == (JobState.QUEUED, 2)


def test_a_stale_failure_in_the_cache_does_not_hide_the_new_attempt() -> None:
    world, problem = World(), a_problem()
    first = a_service(world).submit(work_of(problem))
    failed = world.finisher().fail(first, BROKEN)
    assert failed is not None
    again = a_service(world).submit(work_of(problem))
    world.values.set(final_key(again.id), encode_final(failed), seconds=60)  # a late finisher

    read = a_service(world).read(again.id)

    assert read is not None
    assert (read.attempt, read.state) == (again.attempt, JobState.QUEUED)
    assert a_service(world).submit(work_of(problem)).attempt == again.attempt


@pytest.mark.parametrize("cached", [True, False])
def test_another_clients_answer_makes_a_done_job_at_once(cached: bool) -> None:  # noqa: FBT001
    site = Site()
    done = site.done()
    problem = problem_of(a_service(site.world), done)
    assert problem is not None
    if not cached:
        site.world.cache.clear()
    site.world.queued_chunks()

    theirs = replace(a_service(site.world), client="somebody else").submit(work_of(problem))

    assert theirs.id != done.id
    assert (theirs.state, theirs.result) == (JobState.DONE, done.result)
    assert grid_view(theirs).points_done == problem.grid.points
    assert site.world.job(theirs).state is JobState.DONE
    assert site.world.queued_chunks() == []
    own, other = (a_service(site.world).record(job) for job in (done, theirs))
    assert own == other is not None


@pytest.mark.parametrize("index", [0, 63, 64, 10**12])
def test_an_answer_that_is_not_true_is_not_believed(index: int) -> None:
    world, problem = World(), a_problem()
    lie = encode_answer(problem.sha, Minimum(-1e6, index))
    world.values.set(answer_key(problem.sha), lie, seconds=60)

    assert a_service(world).submit(work_of(problem)).state is JobState.QUEUED


def test_a_problem_whose_points_are_all_covered_is_refused_and_leaves_nothing() -> None:
    world = World()
    problem = Problem(Grid.cube(1), Atoms.from_rows([[0.0, 0.0, 0.0, 1.0]]))

    with pytest.raises(HopelessJob) as raised:
        a_service(world).submit(work_of(problem))

    assert raised.value.faults[0].detail == NO_CANDIDATE_DETAIL
    assert world.store.objects == {}
    assert world.ledger.unfinished() == []


def test_whoever_comes_second_joins_whoever_was_first() -> None:
    world, problem = World(), a_problem()
    first: list[str] = []

    def meanwhile() -> None:
        if fuse.calls == 4 and not first:  # between the problem's PUT and our put of the job
            first.append(a_service(world).submit(work_of(problem)).attempt)

    fuse = Fuse(on_call=meanwhile)
    service = replace(a_service(world, fuse), draw_attempt=lambda: "f" * 16)

    job = service.submit(work_of(problem))

    assert [job.attempt] == first
    assert world.queued_chunks() == [0]


def test_refused_messages_are_sent_again_and_left_to_the_reconciler_in_the_end() -> None:
    class Refusing:
        rounds = 0

        def send(self, bodies: list[str], *, group: str = "") -> list[int]:
            del group
            self.rounds += 1
            return list(range(len(bodies)))

    world, queue = World(), Refusing()
    service = replace(a_service(world), chunks=queue)  # type: ignore[arg-type]

    job = service.submit(work_of(a_problem()))

    assert queue.rounds == 3
    assert world.job(job).sent_at is None


@pytest.mark.parametrize("error", [ServiceBusy, ServiceDenied])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(6))
def test_whichever_call_fails_no_accepted_job_is_lost(
    call: int,
    after: bool,  # noqa: FBT001
    error: type[Exception],
) -> None:
    world, problem = World(), a_problem()
    fuse = Fuse(breaks_at=call, error=error, after=after)

    accepted = None
    try:
        accepted = a_service(world, fuse).submit(work_of(problem))
    except (ServiceBusy, ServiceDenied):
        assert call < 4  # the job is not in the ledger, or nobody knows
    assert fuse.broke
    if call >= 4:
        assert accepted is not None

    # The client asks again: it joins, or the job is made now.
    job = a_service(world).submit(work_of(problem))
    world.clock.advance(16)
    world.reconciler().step()
    stored = world.job(job)
    assert stored.sent_at is not None
    assert 0 in world.queued_chunks()
    world.answer(stored, problem)
    world.collector().step()
    assert grid_view(world.job(job)).result == true_minimum(problem)


@pytest.mark.parametrize("call", range(6))
def test_wherever_the_process_dies_the_next_one_goes_on(call: int) -> None:
    world, problem = World(), a_problem()
    fuse = Fuse(breaks_at=call, error=Died)

    with pytest.raises(Died):
        a_service(world, fuse).submit(work_of(problem))

    job = world.ledger.read(job_id("public", problem.sha))
    assert (job is not None) is (call >= 4)
    assert (problem_object(problem.sha) in world.store.objects) is (call >= 3)
    assert world.queued_chunks() == ([0] if call >= 5 else [])
    world.clock.advance(16)
    world.reconciler().step()
    assert world.queued_chunks() == ([0] if call >= 4 else [])


def test_nobody_reads_the_job_of_somebody_else() -> None:
    site = Site()
    done = site.done()

    mine = a_service(site.world).read(done.id)
    assert mine is not None
    assert mine.result == done.result
    assert replace(a_service(site.world), client="somebody else").read(done.id) is None
    site.world.cache.clear()
    assert replace(a_service(site.world), client="somebody else").read(done.id) is None


def test_an_expired_job_is_no_longer_there() -> None:
    site = Site()
    done = site.done()
    site.world.clock.advance(KEPT_SECONDS + 1)

    assert a_service(site.world).read(done.id) is None
    assert a_service(site.world).recent(limit=10).jobs == ()


def test_the_record_of_a_known_answer_is_there_before_the_job() -> None:
    site = Site()
    done = site.done()
    problem = problem_of(a_service(site.world), done)
    assert problem is not None
    fuse = Fuse(breaks_at=3, error=Died)

    with pytest.raises(Died):
        replace(
            a_service(site.world, fuse), draw_attempt=lambda: "f" * 16, client="somebody else"
        ).submit(work_of(problem))

    theirs = job_id("somebody else", problem.sha)
    assert site.world.ledger.read(theirs) is None
    assert record_object(theirs, "f" * 16) in site.world.store.objects


def test_tasks_that_leave_rows_are_sent_in_chunks_of_some_seconds() -> None:
    world = World()
    work = replace(work_of(a_problem(40, atoms=50)), has_rows=True, known=None)

    job = a_service(world).submit(replace(work, seconds=CHUNK_SECONDS / 4 * work.tasks))

    sent = [ChunkMessage.decode(each.body) for each in world.chunks.receive(at_most=10, wait=0)]
    assert world.job(job).has_rows
    assert sorted(message.tasks or "" for message in sent) == ["0-3", "4-7"]
