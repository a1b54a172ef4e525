"""A refusal of one object or one item concerns its own job, and every job ends."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.adapters.memory import MemoryStore
from gridwell.engine.errors import ServiceDenied
from gridwell.engine.job import DEADLINE_EXCEEDED, INTEGRITY, STORAGE_DENIED, Job, JobState
from gridwell.engine.object_keys import answer_object, problem_object, record_object
from gridwell.engine.task_failure import PROBLEM_DENIED, PROBLEM_MISSING
from gridwell.kinds.grid.map_objects import map_object
from gridwell.kinds.grid.problem import Problem
from tests.harness.builders import NOW, a_problem, a_register, an_error
from tests.harness.denying import ARCHIVED, Denying, about, every
from tests.harness.oracle import true_minimum
from tests.harness.web import World
from tests.harness.web_http import SMALL, Site
from tests.web_tier.collector.test_reconciler import bury
from web_tier.collector.denials import Denials
from web_tier.collector.loop import CollectorLoop, RefusedObject
from web_tier.collector.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

BAD = a_problem(seed=1)
GOOD = a_problem(seed=2)
OTHER = a_problem(seed=3)


@pytest.fixture
def world() -> World:
    return World()


def turns(world: World) -> CollectorLoop:
    return CollectorLoop(
        world.collector(), world.reconciler(), clock=world.clock, jitter=lambda: 1.0
    )


def live(world: World, seconds: float, *, each: float = 30.0) -> CollectorLoop:
    """Take turns for so long."""
    taken = turns(world)
    for _ in range(int(seconds / each)):
        taken.step()
        world.clock.advance(each)
    return taken


def deny(world: World, refuses: Callable[[str, tuple[Any, ...]], bool]) -> Denying:
    """Let the store refuse calls."""
    world.store = denying = Denying(world.store, refuses)  # type: ignore[assignment]
    return denying


def finished(world: World, job: Job) -> JobState:
    return world.job(job).state


# --- the collector's process


@pytest.mark.parametrize("key", ["problem", "record"])
def test_a_complete_job_that_is_refused_keeps_no_other_from_its_end(world: World, key: str) -> None:
    bad, good = world.submit(BAD), world.submit(GOOD)
    denied = problem_object(BAD.sha) if key == "problem" else record_object(bad.id, bad.attempt)
    deny(world, about(denied))
    world.answer(bad, BAD)
    world.answer(good, GOOD)

    live(world, 60)

    assert finished(world, good) is JobState.DONE
    assert finished(world, bad) is JobState.RUNNING
    assert world.job(bad).complete


def test_jobs_behind_a_refused_one_are_sent_and_expired_in_the_same_round(world: World) -> None:
    bad = world.submit(BAD)
    world.ledger.merge(
        bad.id, bad.attempt, frozenset(range(4)), a_register(true_minimum(BAD)), worker="w", now=NOW
    )
    unsent, late = world.submit(GOOD), world.submit(OTHER, deadline=NOW + 10)
    bury(world, unsent, 2)
    deny(world, about(problem_object(BAD.sha)))
    world.clock.advance(20)

    done = world.reconciler().step()

    assert {(each.job, each.did) for each in done} == {
        (unsent.id, "send"),
        (unsent.id, "dead letter of chunk 2 sent once more"),
        (late.id, "expire"),
    }


@pytest.mark.parametrize("key", ["problem", "record"])
def test_a_complete_job_that_is_refused_for_good_fails_by_its_deadline_with_the_reason(
    world: World, key: str
) -> None:
    job = world.submit(BAD, deadline=NOW + 600)
    denied = problem_object(BAD.sha) if key == "problem" else record_object(job.id, job.attempt)
    deny(world, about(denied))
    world.answer(job, BAD)

    live(world, 600)
    assert finished(world, job) is JobState.RUNNING
    live(world, 90)

    failed = world.job(job)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.code == STORAGE_DENIED
    assert denied in failed.error.detail
    assert ARCHIVED in failed.error.detail
    assert "submit the job again" in failed.error.detail


def test_a_job_whose_merges_are_refused_expires_with_that_reason(world: World) -> None:
    job = world.submit(BAD, deadline=NOW + 600, sent_at=NOW, resend_at=NOW + 1e6)
    world.answer(job, BAD)
    world.ledger = Denying(  # type: ignore[assignment]
        world.ledger, lambda name, args: name == "merge" and args[0] == job.id, code="ItemTooLarge"
    )
    collector, reconciler = world.collector(), world.reconciler()
    reconciler.denials = collector.denials
    taken = CollectorLoop(collector, reconciler, clock=world.clock, jitter=lambda: 1.0)
    for _ in range(23):
        taken.step()
        world.clock.advance(30)

    error = world.job(job).error
    assert error is not None
    assert error.code == DEADLINE_EXCEEDED
    assert "ItemTooLarge" in error.detail


def test_a_job_that_is_refused_for_a_while_is_done_afterwards(world: World) -> None:
    job = world.submit(BAD)
    denied = [problem_object(BAD.sha)]
    deny(world, lambda _name, args: args[0] in denied)
    world.answer(job, BAD)
    taken = live(world, 900)
    assert finished(world, job) is JobState.RUNNING

    denied.clear()
    for _ in range(12):
        world.clock.advance(30)
        taken.step()

    assert finished(world, job) is JobState.DONE


def test_a_refused_job_is_tried_ever_more_seldom(world: World) -> None:
    job = world.submit(BAD, sent_at=NOW, resend_at=NOW + 1e6)
    world.ledger.merge(
        job.id, job.attempt, frozenset(range(4)), a_register(true_minimum(BAD)), worker="w", now=NOW
    )
    denying = deny(world, about(problem_object(BAD.sha)))

    live(world, 3000)

    assert 8 <= denying.refused <= 16  # of a hundred rounds


def test_failures_that_may_not_be_read_keep_no_job_from_its_end(world: World) -> None:
    job = world.submit(BAD, deadline=NOW + 10)
    world.ledger = Denying(world.ledger, every("read_failure"))  # type: ignore[assignment]
    world.clock.advance(20)

    world.reconciler().step()

    assert finished(world, job) is JobState.FAILED


@pytest.mark.parametrize("queue", ["dead_chunks", "dead_results"])
def test_dead_letters_that_may_not_be_read_keep_no_job_from_its_end(
    world: World, queue: str
) -> None:
    job = world.submit(BAD, deadline=NOW + 10)
    setattr(world, queue, Denying(getattr(world, queue), every()))
    world.clock.advance(20)

    turns(world).step()

    assert finished(world, job) is JobState.FAILED


def test_an_unreadable_depth_keeps_no_job_from_its_end(world: World) -> None:
    job = world.submit(BAD, deadline=NOW + 10)
    world.chunks = Denying(world.chunks, every("depth"))  # type: ignore[assignment]
    world.clock.advance(20)

    turns(world).step()

    assert finished(world, job) is JobState.FAILED


def test_a_refused_dead_letter_keeps_no_other_from_being_handled(world: World) -> None:
    bad, good = world.submit(BAD), world.submit(GOOD)
    bury(world, bad, 1)
    bury(world, good, 2)
    world.ledger = Denying(world.ledger, about(bad.id))  # type: ignore[assignment]

    world.reconciler().step()

    assert world.queued_chunks() == [2]
    assert world.left(world.dead_chunks) == 1


def test_an_answer_that_may_not_be_stored_keeps_no_job_from_its_end(world: World) -> None:
    job = world.submit(BAD)
    deny(world, about(answer_object(BAD.sha)))
    world.answer(job, BAD)

    live(world, 30)

    assert finished(world, job) is JobState.DONE


# --- a general refusal


@pytest.mark.parametrize("port", ["store", "ledger"])
def test_a_service_that_refuses_every_call_ends_the_process_after_its_turn(
    world: World, port: str
) -> None:
    job = world.submit(BAD)
    world.answer(job, BAD)
    names = ("get", "put_new") if port == "store" else ("merge", "read", "read_many")
    setattr(world, port, Denying(getattr(world, port), every(*names), code="ExpiredToken"))

    with pytest.raises(RefusedObject) as raised:
        turns(world).step()

    assert isinstance(raised.value, ServiceDenied)
    assert raised.value.code == "ExpiredToken"
    assert raised.value.turn.collected is not None
    assert raised.value.turn.collected.received == 4


def test_results_that_may_not_be_read_end_the_process_after_the_jobs_have_had_their_round(
    world: World,
) -> None:
    late = world.submit(BAD, deadline=NOW + 10)
    world.results = Denying(world.results, every("receive"))  # type: ignore[assignment]
    world.clock.advance(20)

    with pytest.raises(RefusedObject):
        turns(world).step()

    assert finished(world, late) is JobState.FAILED


def test_a_store_that_refuses_everything_lets_jobs_end_by_their_deadline(world: World) -> None:
    job = world.submit(BAD, deadline=NOW + 60)
    world.answer(job, BAD)
    deny(world, every())
    for _ in range(10):
        with contextlib.suppress(RefusedObject):
            turns(world).step()  # a supervisor starts it again
        world.clock.advance(10)

    error = world.job(job).error
    assert error is not None
    assert error.code == STORAGE_DENIED


# --- what people see


def test_a_refusal_is_logged_once_for_each_job(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = world.submit(BAD)
    deny(world, about(problem_object(BAD.sha)))
    world.answer(job, BAD)
    left = iter(range(60))

    def stopping() -> bool:
        world.clock.advance(30)
        return next(left, None) is None

    run(
        world.collector(),
        world.reconciler(),
        clock=world.clock,
        stopping=stopping,
        jitter=lambda: 1.0,
    )

    denied = [record for record in caplog.records if record.__dict__.get("action") == "job.denied"]
    assert len(denied) <= 2  # the collector's and the reconciler's
    assert all(problem_object(BAD.sha) in record.getMessage() for record in denied)


def test_the_summary_names_the_number_and_the_last_reason(world: World) -> None:
    denials = Denials(world.clock)
    assert denials.summary == ""
    denials.add("a" * 32, ServiceDenied("first"))
    denials.add("b" * 32, ServiceDenied("second"))

    assert denials.summary == f"2 refused, the last is job {'b' * 32}: second"
    world.clock.advance(601)
    assert denials.summary == ""


# --- what workers report


def tell(world: World, job: Job, code: str, *tries: int) -> None:
    world.results.send([an_error(job, 2, code=code, receives=n).encode() for n in tries])
    world.collector().step()


@pytest.mark.parametrize("code", [PROBLEM_DENIED, PROBLEM_MISSING])
def test_a_problem_that_is_refused_again_and_again_fails_the_job(world: World, code: str) -> None:
    job = world.submit(BAD)
    deny(world, about(problem_object(BAD.sha)))

    tell(world, job, code, 1, 2)
    assert world.job(job) == job
    tell(world, job, code, 3)

    error = world.job(job).error
    assert error is not None
    assert error.code == STORAGE_DENIED
    assert problem_object(BAD.sha) in error.detail


def test_a_worker_is_not_believed_that_a_problem_is_refused(world: World) -> None:
    job = world.submit(BAD)

    tell(world, job, PROBLEM_DENIED, *range(1, 11))

    assert world.job(job) == job


def test_a_refused_problem_that_is_gone_by_now_fails_the_job_at_once(world: World) -> None:
    job = world.submit(BAD)
    del world.store.objects[problem_object(BAD.sha)]

    tell(world, job, PROBLEM_DENIED, 1)

    error = world.job(job).error
    assert error is not None
    assert error.code == INTEGRITY


# --- over HTTP


def done_site(kind: str) -> tuple[Site, Job]:
    """A web process, and a done job of its client."""
    site = Site()
    world = site.world
    job = site.stored(site.post(SMALL | ({"keep_grid": True} if kind == "map" else {})))
    data = world.store.objects[problem_object(job.spec)]
    problem = Problem.decode(data, sha=job.spec)
    if kind == "map":
        world.keep_map(job, problem)
    world.answer(job, problem)
    world.collector().step()
    return site, world.job(job)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("minimum", "atoms"),
        ("minimum", "record"),
        ("minimum", "result?top=3"),
        ("map", "grid.npz"),
        ("map", "grid.dx"),
        ("map", "grid.cube"),
        ("map", "points.csv"),
    ],
)
def test_a_refused_object_is_answered_with_a_code_and_a_remedy(
    monkeypatch: pytest.MonkeyPatch, kind: str, path: str
) -> None:
    site, job = done_site(kind)
    key = {
        "atoms": problem_object(job.spec),
        "record": record_object(job.id, job.attempt),
        "result?top=3": problem_object(job.spec),
    }.get(path, map_object(job.id, job.attempt, 0))
    denying = Denying(MemoryStore(), about(key))
    denying._port.objects = site.world.store.objects
    monkeypatch.setattr(site.world.store, "get", denying.get)
    monkeypatch.setattr(site.world.store, "get_range", denying.get_range)

    response = site.client.get(f"/v1/jobs/{job.id}/{path}")

    assert response.status_code == 503
    assert response.mimetype == "application/problem+json"
    assert response.json is not None
    assert response.json["code"] == STORAGE_DENIED
    assert key in response.json["detail"]
    assert ARCHIVED in response.json["detail"]
    assert int(response.headers["Retry-After"]) > 30  # no client waits for it by itself
    assert site.client.get(f"/v1/jobs/{job.id}").status_code == 200
    assert site.client.get(f"/jobs/{job.id}", headers={"Accept": "text/html"}).status_code == 200
