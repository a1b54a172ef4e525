"""What a crash or a lost message left behind is brought on, and nothing else is touched."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import (
    CHUNK_FAILED,
    DEADLINE_EXCEEDED,
    INTEGRITY,
    LOST_MESSAGES,
    Job,
    JobState,
)
from gridwell.engine.messages import ChunkMessage
from gridwell.engine.object_keys import problem_object
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import NOW, OTHER_ATTEMPT, SIGNER, a_job, a_problem, a_register, a_token
from tests.harness.oracle import true_minimum
from tests.harness.web import Died, Fuse, World
from tests.kinds.grid.strategies import jobs
from web_tier.collector.dead_letters import Reconciled
from web_tier.collector.finisher import MAX_REFUSALS
from web_tier.collector.reconciler import (
    MAX_RESENDS,
    QUIET_SECONDS,
    STILL_SECONDS,
    UNSENT_SECONDS,
    Reconciler,
    ReconcileStep,
    next_step,
)
from web_tier.jobs.enqueue import send_chunks

PROBLEM = a_problem()
BEST = true_minimum(PROBLEM)
EVERY = frozenset(range(4))
SENT: dict[str, Any] = {"sent_at": NOW, "resend_at": NOW + 120}


@pytest.fixture
def world() -> World:
    return World()


# --- the decision


@pytest.mark.parametrize(
    ("changes", "after", "quiet", "step"),
    [
        ({}, 14.9, True, ReconcileStep.NOTHING),
        ({}, 15, False, ReconcileStep.SEND),
        ({"done": frozenset({1})}, 15, False, ReconcileStep.SEND),
        (SENT, 119.9, True, ReconcileStep.NOTHING),
        (SENT, 120, True, ReconcileStep.RESEND),
        (SENT, 120, False, ReconcileStep.NOTHING),
        (SENT, 659.9, False, ReconcileStep.NOTHING),
        (SENT, 660, False, ReconcileStep.RESEND),
        ({**SENT, "moved": NOW + 100}, 759.9, False, ReconcileStep.NOTHING),
        ({**SENT, "moved": NOW + 100}, 760, False, ReconcileStep.RESEND),
        ({**SENT, "resends": 4}, 120, True, ReconcileStep.RESEND),
        ({**SENT, "resends": 5}, 120, True, ReconcileStep.GIVE_UP),
        ({**SENT, "resends": 5}, 120, False, ReconcileStep.NOTHING),
        ({"deadline": NOW + 10}, 10, True, ReconcileStep.NOTHING),
        ({"deadline": NOW + 10}, 10.1, True, ReconcileStep.EXPIRE),
        ({**SENT, "deadline": NOW + 10}, 500, True, ReconcileStep.EXPIRE),
        ({"done": EVERY}, 0, False, ReconcileStep.FINISH),
        ({"done": EVERY, "deadline": NOW + 10}, 500, False, ReconcileStep.FINISH),
    ],
)
def test_what_a_job_needs(
    changes: dict[str, Any],
    after: float,
    quiet: bool,  # noqa: FBT001 - a table's column
    step: ReconcileStep,
) -> None:
    assert next_step(a_job(**changes), now=NOW + after, quiet=quiet) is step


@given(jobs(), st.floats(0, 1e5), st.booleans(), st.none() | st.floats(0, 1e4), st.integers(0, 9))
def test_messages_are_sent_again_only_when_they_are_overdue_and_really_lost(
    job: Job,
    after: float,
    quiet: bool,  # noqa: FBT001 - drawn by Hypothesis
    sent: float | None,
    resends: int,
) -> None:
    if sent is not None:
        job = replace(job, sent_at=NOW + sent, resend_at=NOW + sent + 120, resends=resends)

    step = next_step(job, now=NOW + after, quiet=quiet)

    if step in (ReconcileStep.RESEND, ReconcileStep.GIVE_UP):
        assert job.resend_at is not None
        assert job.resend_at <= NOW + after <= job.deadline
        assert quiet or after - (sent or 0) >= STILL_SECONDS
        assert not job.complete
        assert (step is ReconcileStep.RESEND) == (resends < MAX_RESENDS)


# --- unsent jobs


def test_chunks_that_nobody_sent_are_sent_after_fifteen_seconds(world: World) -> None:
    job = world.submit(PROBLEM)
    reconciler = world.reconciler()
    world.clock.advance(UNSENT_SECONDS - 1)
    assert reconciler.step() == []
    assert world.left(world.chunks) == 0

    world.clock.advance(1)

    assert reconciler.step() == [Reconciled(job.id, "send")]
    assert world.queued_chunks() == [0, 1, 2, 3]
    sent = world.job(job)
    assert sent.sent_at == NOW + UNSENT_SECONDS
    assert sent.resend_at is not None
    assert sent.resend_at >= sent.sent_at + 120
    assert sent.state is JobState.QUEUED


def test_a_long_job_is_given_three_times_its_work_before_its_messages_count_as_lost(
    world: World,
) -> None:
    problem, atoms = a_problem(), 10**9
    job = world.submit(
        problem, chunks=1, detail={**a_job(problem, chunks=1).detail, "atom_count": atoms}
    )
    world.clock.advance(UNSENT_SECONDS)

    world.reconciler().step()

    sent = world.job(job)
    assert sent.sent_at is not None
    assert sent.resend_at is not None
    # With more than four atoms for each point every pair is summed, a thousand million a second.
    pairs = problem.grid.points * atoms
    assert sent.resend_at - sent.sent_at == pytest.approx(3 * pairs / 1e9, rel=0.01)


def test_only_missing_chunks_are_sent(world: World) -> None:
    job = world.submit(PROBLEM)
    world.ledger.merge(
        job.id, job.attempt, frozenset({0, 2}), a_register(BEST), worker="w", now=NOW
    )
    world.clock.advance(UNSENT_SECONDS)

    world.reconciler().step()

    assert world.queued_chunks() == [1, 3]


def test_a_sent_job_is_left_alone(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    world.clock.advance(100)

    assert world.reconciler().step() == []

    assert world.job(job) == job
    assert world.left(world.chunks) == 0


# --- lost messages


def rounds(world: World, reconciler: Reconciler, seconds: float) -> list[tuple[float, str]]:
    """What the reconciler does in rounds of 30 s, with the time of each."""
    done = []
    for _ in range(int(seconds / 30)):
        world.clock.advance(30)
        done += [(world.clock.now() - NOW, item.did) for item in reconciler.step()]
    return done


def test_lost_messages_are_sent_again_when_the_queue_stays_empty(world: World) -> None:
    world.submit(PROBLEM, **SENT)

    assert rounds(world, world.reconciler(), 120) == [(120, "resend")]

    assert world.queued_chunks() == [0, 1, 2, 3]


def test_an_honest_backlog_is_never_multiplied(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    send_chunks(world.chunks, job, range(4), signer=SIGNER)

    assert rounds(world, world.reconciler(), STILL_SECONDS - 30) == []

    assert world.left(world.chunks) == 4


def test_leased_messages_are_not_lost(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    send_chunks(world.chunks, job, range(4), signer=SIGNER)
    reconciler = world.reconciler()
    for _ in range(10):
        world.chunks.receive(at_most=10, wait=0)
        assert rounds(world, reconciler, 60) == []


def test_a_queue_that_was_empty_once_is_not_quiet(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    reconciler = world.reconciler()
    world.clock.advance(120)
    for _ in range(8):  # not so long that the job counts as still
        world.clock.advance(QUIET_SECONDS - 1)
        assert reconciler.step() == []  # seen empty
        send_chunks(world.chunks, job, [0], signer=SIGNER)
        assert reconciler.step() == []  # seen full
        world.queued_chunks()


def test_messages_that_do_not_move_for_a_chunks_hard_limit_are_lost(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    send_chunks(
        world.chunks, job, [0], signer=SIGNER
    )  # somebody else's, for all we know: never quiet

    assert rounds(world, world.reconciler(), STILL_SECONDS) == [(STILL_SECONDS, "resend")]


def test_the_waits_between_tries_double_until_the_job_is_given_up(world: World) -> None:
    job = world.submit(PROBLEM, **SENT, deadline=NOW + 1e6)
    reconciler = world.reconciler()
    done = []
    for _ in range(400):
        done += rounds(world, reconciler, 30)
        world.queued_chunks()  # lost again

    assert done == [
        (120, "resend"),
        (240, "resend"),
        (480, "resend"),
        (960, "resend"),
        (1920, "resend"),
        (3840, "give up"),
    ]
    failed = world.job(job)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, LOST_MESSAGES)
    assert "4 chunk messages were sent 6 times" in failed.error.detail


def test_of_two_reconcilers_one_wins_the_right_to_send_again(world: World) -> None:
    world.submit(PROBLEM, **SENT)
    first, second = world.reconciler(), world.reconciler()
    first.step()
    second.step()
    world.clock.advance(120)

    # The second reads the job before the first has claimed, and acts after it.
    def interleave() -> None:
        fuse.on_call = None
        first.step()

    fuse = Fuse()
    late = world.reconciler(fuse)
    late._empty_since = NOW
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == 6:  # depth, unfinished, receive, receive, read, claim
            interleave()

    fuse.on_call = count
    late.step()

    assert calls == 6
    assert world.queued_chunks() == [0, 1, 2, 3]


# --- finishing and failing


def test_a_complete_job_that_nobody_closed_is_finished(world: World) -> None:
    job = world.submit(PROBLEM)
    world.ledger.merge(job.id, job.attempt, EVERY, a_register(BEST), worker="w", now=NOW)

    assert world.reconciler().step() == [Reconciled(job.id, "finish")]

    assert (world.job(job).state, grid_view(world.job(job)).result) == (JobState.DONE, BEST)


def test_a_complete_job_with_a_false_winner_is_not_finished_here_either(world: World) -> None:
    job = world.submit(PROBLEM, refusals=MAX_REFUSALS)
    lie = Minimum(-1e9, 5)
    world.ledger.merge(job.id, job.attempt, EVERY, a_register(lie), worker="liar", now=NOW)

    world.reconciler().step()

    error = world.job(job).error
    assert error is not None
    assert error.code == INTEGRITY
    assert "worker liar reported" in error.detail


def test_a_job_past_its_deadline_fails_and_says_how_far_it_came(world: World) -> None:
    job = world.submit(PROBLEM)
    world.ledger.merge(job.id, job.attempt, frozenset({0}), a_register(BEST), worker="w", now=NOW)
    world.clock.advance(job.deadline - NOW + 1)

    assert world.reconciler().step() == [Reconciled(job.id, "expire")]

    failed = world.job(job)
    assert failed.error is not None
    assert failed.error.code == DEADLINE_EXCEEDED
    assert "within 3600 seconds: 1 of 4 chunks" in failed.error.detail


def test_a_complete_job_is_finished_even_past_its_deadline(world: World) -> None:
    job = world.submit(PROBLEM)
    world.ledger.merge(job.id, job.attempt, EVERY, a_register(BEST), worker="w", now=NOW)
    world.clock.advance(job.deadline - NOW + 100)

    world.reconciler().step()

    assert world.job(job).state is JobState.DONE


def test_a_complete_job_whose_problem_cannot_be_read_fails_at_its_deadline(world: World) -> None:
    job = world.submit(PROBLEM)
    world.ledger.merge(job.id, job.attempt, EVERY, a_register(BEST), worker="w", now=NOW)
    world.store.objects[problem_object(PROBLEM.sha)] = b"garbage"

    (left,) = world.reconciler().step()
    assert "left for the next round" in left.did
    assert world.job(job).state is JobState.RUNNING

    world.clock.advance(job.deadline - NOW + 1)
    assert world.reconciler().step() == [Reconciled(job.id, "finish")]
    error = world.job(job).error
    assert error is not None
    assert error.code == INTEGRITY
    assert "cannot be read" in error.detail


def test_ended_jobs_are_not_touched(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    world.collector().step()
    before = world.job(job)
    world.clock.advance(10_000)

    assert world.reconciler().step() == []

    assert world.job(job) == before


def test_a_lagging_index_does_no_harm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    world.collector().step()
    monkeypatch.setattr(world.ledger, "unfinished", lambda: [job.id, "0" * 32])
    world.clock.advance(10_000)

    assert world.reconciler().step() == []
    assert world.job(job).state is JobState.DONE


def test_one_jobs_trouble_does_not_hold_up_another(world: World) -> None:
    sick, well = world.submit(PROBLEM), world.submit(a_problem(seed=2))
    for job, problem in ((sick, PROBLEM), (well, a_problem(seed=2))):
        best = true_minimum(problem)
        world.ledger.merge(job.id, job.attempt, EVERY, a_register(best), worker="w", now=NOW)
    world.store.objects[problem_object(PROBLEM.sha)] = b"garbage"

    world.reconciler().step()

    assert world.job(well).state is JobState.DONE


# --- dead letters


def bury(world: World, job: Job, chunk: int, /, **changes: Any) -> None:
    """Put a chunk's message among the dead letters."""
    message = ChunkMessage(
        kind="minimum",
        job=job.id,
        attempt=job.attempt,
        chunk=chunk,
        plan=job.plan,
        problem=job.spec,
        token=a_token(job, chunk),
    )
    world.dead_chunks.send([replace(message, **changes).encode()])


def test_a_dead_letter_is_sent_once_more_before_it_fails_its_job(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    reconciler = world.reconciler()
    bury(world, job, 2)

    assert reconciler.step() == [Reconciled(job.id, "dead letter of chunk 2 sent once more")]
    assert world.job(job) == job
    assert world.queued_chunks() == [2]
    assert world.left(world.dead_chunks) == 0

    bury(world, job, 2, again=True)
    assert world.reconciler().step() == [Reconciled(job.id, "dead letter of chunk 2")]
    failed = world.job(job)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, CHUNK_FAILED)
    assert "chunk 2 " in failed.error.detail
    assert world.left(world.dead_chunks) == 0


def test_a_letter_that_could_not_be_deleted_is_no_second_death(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    bury(world, job, 2)
    # depth, unfinished, receive, receive, read, read, read_failure, send, delete
    reconciler = world.reconciler(Fuse(breaks_at=8))

    assert reconciler.step() == [Reconciled(job.id, "dead letter of chunk 2 left: delete broke")]
    world.clock.advance(61)
    reconciler.step()

    assert world.job(job).state is JobState.QUEUED
    assert world.left(world.dead_chunks) == 0


def test_each_chunk_of_each_attempt_has_its_own_second_try(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    reconciler = world.reconciler()
    for chunk in (1, 3):
        bury(world, job, chunk)
        reconciler.step()

    assert world.job(job).state is JobState.QUEUED
    assert world.queued_chunks() == [1, 3]


def test_dead_letters_that_no_longer_matter_go_away(world: World) -> None:
    job = world.submit(PROBLEM, **SENT)
    world.ledger.merge(job.id, job.attempt, frozenset({1}), a_register(BEST), worker="w", now=NOW)
    before = world.job(job)
    for _ in range(2):
        bury(world, job, 1)  # merged after all
        bury(world, job, 2, attempt=OTHER_ATTEMPT)  # of an older run
        bury(world, job, 2, job="f" * 32)  # of no job
        bury(world, job, 4)  # of no chunk
        bury(world, job, 2, plan="0" * 64)  # of no plan of ours
    reconciler = world.reconciler()

    assert reconciler.step() == []

    assert world.job(job) == before
    assert world.left(world.dead_chunks) == 0
    assert world.left(world.chunks) == 0


def test_a_dead_letter_of_an_ended_job_goes_away(world: World) -> None:
    job = world.submit(PROBLEM)
    world.answer(job, PROBLEM)
    world.collector().step()
    bury(world, job, 2)

    assert world.reconciler().step() == []

    assert world.job(job).state is JobState.DONE
    assert world.left(world.dead_chunks) == 0
    assert world.left(world.chunks) == 0


def test_an_unreadable_dead_letter_is_kept_for_people(world: World) -> None:
    world.dead_chunks.send(["garbage"])

    assert world.reconciler().step() == []

    assert world.left(world.dead_chunks) == 1


# --- dying between any two calls


def left_behind(world: World) -> list[Job]:
    """One job for each thing that a reconciler does."""
    unsent = world.submit(a_problem(seed=1))
    complete = world.submit(a_problem(seed=2))
    late = world.submit(a_problem(seed=3), deadline=NOW + 1, **SENT)
    lost = world.submit(a_problem(seed=4), sent_at=NOW - 1000, resend_at=NOW - 500)
    dead = world.submit(a_problem(seed=5), **SENT)
    best = true_minimum(a_problem(seed=2))
    world.ledger.merge(complete.id, complete.attempt, EVERY, a_register(best), worker="w", now=NOW)
    bury(world, dead, 2)
    world.clock.advance(60)
    return [unsent, complete, late, lost, dead]


def calls_of_a_round() -> int:
    world, fuse = World(), Fuse()
    left_behind(world)
    world.reconciler(fuse).step()
    return fuse.calls


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", [ServiceBusy, Died])
@pytest.mark.parametrize("call", range(calls_of_a_round()))
def test_dying_before_or_after_any_call_is_mended_by_a_later_round(
    world: World, call: int, error: type[BaseException], *, after: bool
) -> None:
    unsent, complete, late, lost, dead = left_behind(world)
    fuse = Fuse(breaks_at=call, error=error, after=after)

    with contextlib.suppress(ServiceBusy, Died):
        world.reconciler(fuse).step()
    assert fuse.broke
    chunks: dict[str, set[int]] = {job.id: set() for job in (unsent, lost, dead)}
    reconciler = world.reconciler()
    for _ in range(60):
        for received in world.chunks.receive(at_most=10, wait=0):
            message = ChunkMessage.decode(received.body)
            chunks[message.job].add(message.chunk)
            world.chunks.delete([received.receipt])
        world.clock.advance(30)
        reconciler.step()

    assert chunks[unsent.id] == chunks[lost.id] == EVERY
    assert 2 in chunks[dead.id]
    assert (world.job(complete).state, world.job(late).state) == (JobState.DONE, JobState.FAILED)
    assert world.left(world.dead_chunks) == 0


@pytest.mark.parametrize("call", range(4))
def test_what_concerns_all_jobs_is_read_before_anything_is_done(world: World, call: int) -> None:
    before = left_behind(world)

    with pytest.raises(ServiceBusy, match=r"(depth|unfinished|receive) broke"):
        world.reconciler(Fuse(breaks_at=call)).step()

    assert [world.job(job).state for job in before] == [
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.QUEUED,
        JobState.QUEUED,
        JobState.QUEUED,
    ]
    assert world.left(world.chunks) == 0
