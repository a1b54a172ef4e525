"""Dead letters: a chunk's second chance, its job's true reason, and results that died unheard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.engine.job import CHUNK_FAILED, DEADLINE_EXCEEDED, NO_WORKER, JobError, JobState
from gridwell.engine.messages import ChunkMessage
from gridwell.engine.task_failure import (
    MACHINE_FAILED,
    PROCESS_DIED,
    RAISED,
    STUCK,
    UNSUPPORTED,
    failure_of,
)
from tests.harness.builders import NOW, OTHER_ATTEMPT, a_problem, a_register, a_result, an_error
from tests.harness.oracle import true_minimum
from tests.harness.web import Died, Fuse, World
from tests.web_tier.collector.test_reconciler import bury
from web_tier.collector.dead_letters import Reconciled

if TYPE_CHECKING:
    from gridwell.engine.job import Job

PROBLEM = a_problem()
BEST = true_minimum(PROBLEM)
SENT: dict[str, Any] = {"sent_at": NOW, "resend_at": NOW + 1e6}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def job(world: World) -> Job:
    return world.submit(PROBLEM, **SENT)


def told(
    world: World,
    job: Job,
    chunk: int,
    code: str = MACHINE_FAILED,
    tries: int = 10,
    workers: tuple[str, ...] = ("w-6", "w-7"),
) -> None:
    """Let the ledger know of failed tries, of the workers in turn; the last one's is w-7's."""
    for number in range(1, tries + 1):
        name = workers[(tries - number + 1) % len(workers)]
        error = an_error(job, chunk, code=code, text="disk full", receives=number, worker=name)
        world.ledger.record_failure(failure_of(error, NOW))


def error_of(world: World, job: Job) -> JobError:
    error = world.job(job).error
    assert error is not None
    return error


# --- chunks


def test_a_chunk_of_which_an_error_is_known_fails_its_job_with_it(world: World, job: Job) -> None:
    told(world, job, 2)
    bury(world, job, 2)

    assert world.reconciler().step() == [Reconciled(job.id, "dead letter of chunk 2")]

    assert error_of(world, job) == JobError(
        CHUNK_FAILED,
        "chunk 2 failed 10 times, last on worker w-7: disk full (on 2 machines); look at that "
        "worker's log, then submit the job again",
    )
    assert world.left(world.dead_chunks) == 0
    assert world.left(world.chunks) == 0


@pytest.mark.parametrize("code", [MACHINE_FAILED, PROCESS_DIED, STUCK, RAISED])
def test_a_chunk_that_failed_on_one_machine_alone_is_sent_once_more(
    world: World, job: Job, code: str
) -> None:
    told(world, job, 2, code, workers=("w-7",))
    bury(world, job, 2)

    world.reconciler().step()
    assert world.job(job) == job
    assert world.queued_chunks() == [2]

    bury(world, job, 2, again=True)  # its machine has tested itself well since, or is gone
    world.reconciler().step()

    assert error_of(world, job) == JobError(
        CHUNK_FAILED,
        "chunk 2 failed 10 times, last on worker w-7: disk full (on 1 machine), also after it was "
        "sent once more; no other machine was there to try it; look at that worker's log, then "
        "submit the job again",
    )


def test_the_error_of_another_chunk_or_attempt_is_not_this_ones(world: World, job: Job) -> None:
    told(world, job, 1)
    told(world, replace(job, attempt=OTHER_ATTEMPT), 2)
    bury(world, job, 2)

    world.reconciler().step()

    assert world.job(job) == job
    assert world.queued_chunks() == [2]


def test_a_second_chance_outlives_the_reconciler_that_gave_it(world: World, job: Job) -> None:
    bury(world, job, 2)
    world.reconciler().step()
    (message,) = world.chunks.receive(at_most=10, wait=0)
    assert ChunkMessage.decode(message.body).again
    world.dead_chunks.send([message.body])

    world.reconciler().step()

    assert error_of(world, job).code == CHUNK_FAILED
    assert "chunk 2 was taken by workers again and again, and then once more" in (
        error_of(world, job).detail
    )


def test_however_often_a_first_letter_comes_it_is_no_second_death(world: World, job: Job) -> None:
    for _ in range(5):
        bury(world, job, 2)
        world.reconciler().step()

    assert world.job(job) == job
    assert world.queued_chunks() == [2] * 5


def test_a_second_death_whose_chunk_is_done_after_all_fails_no_job(world: World, job: Job) -> None:
    bury(world, job, 2, again=True)

    def merge() -> None:
        if fuse.calls == 8:  # depth, unfinished, receive, receive, read, read, read_failure: fail
            done = frozenset({2})
            world.ledger.merge(job.id, job.attempt, done, a_register(BEST), worker="w", now=NOW)

    fuse = Fuse(on_call=merge)
    world.reconciler(fuse).step()

    assert world.job(job).done == {2}
    assert world.job(job).state is JobState.RUNNING
    assert world.left(world.dead_chunks) == 0


def test_more_letters_than_a_batch_are_handled_in_one_round(world: World) -> None:
    world.dead_chunks.send(["garbage"] * 25)
    problem = a_problem(5)
    job = world.submit(problem, chunks=27, **SENT)
    for chunk in range(job.tasks):
        bury(world, job, chunk)

    world.reconciler().step()

    assert world.queued_chunks() == list(range(job.tasks))
    assert world.left(world.dead_chunks) == 25
    assert world.dead_chunks.depth().visible == 25  # given back at once, for people to see


def test_a_chunk_that_no_release_supports_has_a_second_chance_and_then_the_true_reason(
    world: World, job: Job
) -> None:
    told(world, job, 2, UNSUPPORTED)
    bury(world, job, 2)
    world.reconciler().step()
    assert world.job(job) == job
    assert world.queued_chunks() == [2]

    bury(world, job, 2, again=True)
    world.reconciler().step()

    error = error_of(world, job)
    assert error.code == NO_WORKER
    assert "no worker's release can compute chunk 2; worker w-7 says: disk full" in error.detail


def test_a_job_that_is_late_tells_the_last_error_of_what_it_lacks(world: World, job: Job) -> None:
    world.ledger.merge(
        job.id, job.attempt, frozenset({0, 1}), a_register(BEST), worker="w", now=NOW
    )
    told(world, job, 3, tries=1)
    world.clock.advance(job.deadline - NOW + 1)

    world.reconciler().step()

    assert error_of(world, job) == JobError(
        DEADLINE_EXCEEDED,
        "not done within 3600 seconds: 2 of 4 chunks were; chunk 3 failed once, last on worker "
        "w-7: disk full; submit it again to try once more",
    )


# --- results


def test_a_dead_result_that_is_still_wanted_is_sent_again(world: World, job: Job) -> None:
    result = a_result(job, 1, BEST).encode()
    world.dead_results.send([result])

    assert world.reconciler().step() == [Reconciled(job.id, "dead result of chunk 1 sent again")]

    assert world.left(world.dead_results) == 0
    assert [r.body for r in world.results.receive(at_most=10, wait=0)] == [result]


def test_dead_results_that_nobody_wants_go_away(world: World, job: Job) -> None:
    world.ledger.merge(job.id, job.attempt, frozenset({1}), a_register(BEST), worker="w", now=NOW)
    ended = world.submit(a_problem(seed=2), state=JobState.CANCELLED)
    results = [
        a_result(job, 1, BEST),  # merged since
        a_result(job, 2, BEST, attempt=OTHER_ATTEMPT),
        a_result(job, 2, BEST, job="f" * 32),
        a_result(job, 4, BEST),
        a_result(ended, 1, BEST),
    ]
    world.dead_results.send([result.encode() for result in results])

    assert world.reconciler().step() == []

    assert world.left(world.dead_results) == 0
    assert world.left(world.results) == 0


@pytest.mark.parametrize("body", ["garbage", '{"version": 3}', '{"version": 2, "kind": "sum"}'])
def test_dead_results_that_cannot_be_read_are_kept(world: World, body: str) -> None:
    world.dead_results.send([body])
    for _ in range(20):
        world.clock.advance(30)
        assert world.reconciler().step() == []

    assert [r.body for r in world.dead_results.receive(at_most=10, wait=0)] == [body]


def letters(world: World, job: Job) -> None:
    told(world, job, 0)
    bury(world, job, 1)
    world.dead_results.send([a_result(job, 2, BEST).encode()])


def calls_of_a_round() -> int:
    world, fuse = World(), Fuse()
    letters(world, world.submit(PROBLEM, **SENT))
    world.reconciler(fuse).step()
    return fuse.calls


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(calls_of_a_round()))
def test_dying_before_or_after_any_call_loses_no_letter(
    world: World, job: Job, call: int, *, after: bool
) -> None:
    letters(world, job)
    fuse = Fuse(breaks_at=call, error=Died, after=after)

    with pytest.raises(Died):
        world.reconciler(fuse).step()
    assert fuse.broke
    world.clock.advance(61)
    world.reconciler().step()

    assert 1 in world.queued_chunks()
    assert world.results.receive(at_most=10, wait=0)
    assert world.left(world.dead_chunks) == world.left(world.dead_results) == 0
    assert world.job(job) == job
