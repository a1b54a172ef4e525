"""The worker's way with chunks: received, computed, sent, deleted."""

from __future__ import annotations

import itertools

import pytest

from app_tier.worker.worker import HEARTBEAT_SECONDS
from gridwell.engine.errors import ServiceDenied
from gridwell.engine.job import JobError, JobState
from gridwell.engine.messages import Envelope
from gridwell.engine.object_keys import problem_object
from gridwell.engine.register import Best, lesser
from gridwell.engine.task_failure import MACHINE_FAILED, PROBLEM_MISSING, STUCK, failure_of
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import NOW, OTHER_ATTEMPT, a_problem, a_register, a_token, an_error
from tests.harness.grid_tasks import box_of
from tests.harness.oracle import true_minimum
from tests.harness.worker import WORKER, World, actions, busy


def test_a_jobs_chunks_are_computed_and_their_messages_deleted() -> None:
    world, problem = World(), a_problem(5, atoms=7)
    job = world.submit(problem, chunks=8)

    world.run()

    results = world.sent()
    assert [result.chunk for result in results] == list(range(8))
    assert {(r.job, r.attempt, r.plan, r.worker) for r in results} == {
        (job.id, job.attempt, job.plan, WORKER)
    }
    best: Best | None = None
    for result in results:
        best = lesser(best, result.register)
    assert best is not None
    assert Minimum.from_key(best.key) == true_minimum(problem)
    assert world.left() == (0, 0)


def test_a_result_is_sent_before_its_chunk_is_deleted() -> None:
    world = World()
    world.submit(chunks=1)

    world.run()

    names = [name for name, _ in world.calls]
    assert names.index("results.send") < names.index("chunks.delete")


def test_a_chunk_stays_in_the_queue_while_its_result_cannot_be_sent() -> None:
    world = World()
    world.submit(chunks=1)
    world.results.failing["send"] = busy()
    world.step()
    world.compute.end()

    step = world.step(3)

    assert "worker.busy" in actions(step)
    assert world.named("chunks.delete") == []
    del world.results.failing["send"]
    world.run()
    assert len(world.sent()) == 1
    assert world.left() == (0, 0)


def test_a_result_that_the_queue_refused_is_sent_again() -> None:
    world = World(cores=2)
    world.submit(chunks=2)
    send = world.answers.send
    refusals = [[1], []]

    def choosy(bodies: list[str], *, group: str = "") -> list[int]:
        refused = refusals.pop(0) if len(bodies) > 1 else []
        send([body for k, body in enumerate(bodies) if k not in refused], group=group)
        return refused

    world.answers.send = choosy  # type: ignore[method-assign, assignment]
    world.step()
    world.compute.end()
    step = world.step()

    assert "worker.result_refused" in actions(step)
    world.run()
    assert [result.chunk for result in world.sent()] == [0, 1]


def test_only_free_places_are_received_and_one_chunk_waits_for_each_core() -> None:
    world = World(cores=2)
    world.submit(chunks=8)

    world.step(5)

    assert len(world.compute.tasks) == 4
    assert world.left() == (4, 4)
    assert world.named("chunks.receive") == [{"at_most": 4, "wait": 20.0}]


def test_more_places_than_sqs_gives_at_once_are_filled_by_several_polls() -> None:
    world = World(cores=8)
    world.submit(chunks=16)

    world.step(3)

    assert len(world.compute.tasks) == 16
    assert [call["at_most"] for call in world.named("chunks.receive")] == [10, 6]


def test_a_worker_with_something_in_hand_never_polls_long() -> None:
    world = World(cores=2)
    world.submit(chunks=1)

    world.step(30)

    waits = [call["wait"] for call in world.named("chunks.receive")]
    assert waits[0] == 20.0
    assert len(waits) > 5
    assert set(waits[1:]) == {0.0}


def test_an_empty_queue_is_not_asked_more_than_once_a_second() -> None:
    world = World(cores=2)
    world.submit(chunks=1)

    world.step(100)

    elapsed = world.clock.now() - NOW
    assert len(world.named("chunks.receive")) <= elapsed + 3


def test_a_duplicate_of_a_chunk_in_hand_is_computed_once_and_deleted_too() -> None:
    world = World()
    job = world.submit(chunks=1)
    world.send(job, [0])

    world.step()

    assert len(world.compute.tasks) == 1
    world.run()
    assert len(world.sent()) == 1
    assert world.left() == (0, 0)


def test_a_problem_is_fetched_once_for_many_chunks() -> None:
    world = World()
    world.submit(chunks=16)

    world.run()

    assert len(world.named("store.get")) == 1


def test_jobs_are_read_together_and_not_for_every_chunk() -> None:
    world = World(cores=4)
    for seed in range(4):
        world.submit(a_problem(seed=seed), chunks=2)

    world.step()

    assert len(world.named("jobs.read_many")) == 1


def test_the_best_point_seen_is_the_next_chunks_incumbent() -> None:
    world, problem = World(), a_problem(6, atoms=9)
    world.submit(problem, chunks=8)
    world.step()
    assert all(task.hint is None for task in world.compute.tasks.values())
    world.compute.end(0)
    world.step(2)

    (result,) = world.sent()
    newest = list(world.compute.tasks.values())[-1]
    assert result.best is not None
    assert newest.hint == result.best


def test_the_ledgers_best_point_is_an_incumbent_too() -> None:
    world = World()
    job = world.submit(chunks=2, send=[1])
    world.ledger.merge(
        job.id, job.attempt, frozenset([0]), a_register(Minimum(-9.0, 17)), worker="w", now=NOW
    )

    world.step()

    assert [Minimum.from_key(task.hint or "").index for task in world.compute.tasks.values()] == [
        17
    ]


@pytest.mark.parametrize(
    "change",
    [{"attempt": OTHER_ATTEMPT}, {"plan": "0" * 64}, {"problem": "0" * 64}, {"job": "0" * 32}],
    ids=lambda change: next(iter(change)),
)
def test_a_chunk_of_another_attempt_plan_problem_or_job_is_deleted_uncomputed(
    change: dict[str, str],
) -> None:
    world = World()
    job = world.submit(chunks=1, send=[])
    world.send(job, [0], **change)

    step = world.step()

    assert actions(step) == ["worker.chunk_void"]
    assert not world.compute.tasks
    assert world.left() == (0, 0)


def test_a_chunk_of_a_cancelled_job_is_deleted_uncomputed() -> None:
    world = World()
    world.submit(chunks=1, state=JobState.CANCELLED)

    world.step()

    assert not world.compute.tasks
    assert world.left() == (0, 0)


def test_a_chunk_past_its_jobs_deadline_is_deleted_uncomputed() -> None:
    world = World()
    world.submit(chunks=1, deadline=NOW - 1)

    world.step()

    assert not world.compute.tasks
    assert world.left() == (0, 0)


def test_a_chunk_merged_already_is_deleted_uncomputed_and_the_others_are_computed() -> None:
    world = World()
    job = world.submit(chunks=2, done=frozenset([0]), state=JobState.RUNNING)

    world.step()

    assert list(map(box_of, world.compute.tasks.values())) == [grid_view(job).chunking.box(1)]


def test_a_job_that_is_cancelled_while_its_chunk_computes_has_it_stopped_and_deleted() -> None:
    world = World()
    job = world.submit(chunks=1)
    world.step()
    world.compute.move()
    world.ledger.cancel(job.id, job.attempt, now=NOW)

    world.clock.advance(HEARTBEAT_SECONDS * 1.2)
    world.step()

    assert world.compute.discarded == [1]
    assert world.left() == (0, 0)
    assert world.sent() == []


def test_a_job_that_fails_while_its_chunk_computes_has_it_stopped_and_deleted() -> None:
    world = World()
    job = world.submit(chunks=1)
    world.step()
    world.compute.move()
    world.ledger.fail(job.id, job.attempt, JobError("x", "y"), now=NOW)

    world.clock.advance(7)
    world.step()

    assert world.compute.discarded == [1]
    assert world.left() == (0, 0)
    assert world.sent() == []


def test_a_failed_read_of_the_job_changes_nothing_and_the_chunk_is_computed_later() -> None:
    world = World()
    world.submit(chunks=1)
    world.jobs.failing["read_many"] = busy()
    world.step(3)
    assert not world.compute.tasks
    assert world.left() == (0, 1)

    del world.jobs.failing["read_many"]
    world.run()

    assert len(world.sent()) == 1


def test_a_store_that_does_not_answer_delays_a_chunk_and_loses_nothing() -> None:
    world = World()
    world.submit(chunks=4)
    world.store.failing["get"] = busy()
    step = world.step(3)
    assert "worker.busy" in actions(step)

    del world.store.failing["get"]
    world.run()

    assert len(world.sent()) == 4


@pytest.mark.parametrize(
    "body", ["no json", '{"version":"1"}', '{"version":2,"kind":"minimum","job":"short"}']
)
def test_a_message_that_cannot_be_read_goes_to_the_dead_letters(body: str) -> None:
    world = World(minimum_uptime=10_000)
    world.queue.send([body])

    notes = world.step(40)

    assert set(actions(notes)) == {"worker.message_refused"}
    assert world.named("chunks.delete") == []
    assert world.left() == (0, 0)
    assert world.dead.depth().visible == 1


def test_an_unknown_kind_is_given_back_for_a_worker_that_knows_it() -> None:
    world = World()
    job = world.submit(chunks=1, send=[])
    world.send(job, [0], kind="poem")

    step = world.step()

    assert actions(step) == ["worker.message_refused"]
    assert (
        "kind 'poem' is none that this release computes: minimum, series, map" in step.notes[0].text
    )
    world.clock.advance(3)
    assert world.left() == (1, 0)


def test_a_chunk_outside_the_plan_is_refused_and_its_neighbours_are_computed() -> None:
    world = World()
    job = world.submit(chunks=1, send=[0])
    world.send(job, [77])

    step = world.step()

    assert actions(step) == ["worker.chunk_refused"]
    assert len(world.compute.tasks) == 1


def test_a_problem_that_is_not_in_the_store_is_given_back_and_said_so() -> None:
    world = World()
    job = world.submit(chunks=1)
    del world.memory.objects[problem_object(job.spec)]

    step = world.step()

    assert actions(step) == ["worker.chunk_refused"]
    assert job.spec in step.notes[0].text
    world.clock.advance(3)
    assert world.left() == (1, 0)
    world.step()
    assert [(error.code, error.receives) for error in world.errors()] == [(PROBLEM_MISSING, 1)]


def test_a_chunk_that_raises_comes_back_later_and_later() -> None:
    world = World(minimum_uptime=10_000)
    job = world.submit(chunks=1)
    came: list[float] = []
    while not world.dead.depth().visible:
        assert len(came) <= 10
        if world.compute.tasks:
            came.append(world.clock.now())
            world.compute.end(error="ValueError('odd')")
            # As the collector does: a chunk that tells an error ends no worker.
            world.ledger.record_failure(failure_of(an_error(job, 0), NOW))
        world.step()

    gaps = [b - a for a, b in itertools.pairwise(came)]
    assert len(came) == 10
    assert [round(gap) for gap in gaps] == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    errors = world.errors()
    assert [error.receives for error in errors] == list(range(1, 11))
    assert {(error.worker, error.code, error.text) for error in errors} == {
        (WORKER, MACHINE_FAILED, "ValueError('odd')")
    }
    assert world.dead.depth().visible == 1


def test_a_failed_try_is_told_with_the_results_and_its_chunk_stays_in_the_queue() -> None:
    world = World(cores=2)
    job = world.submit(chunks=2)
    world.step()
    world.compute.end(0, error="ValueError('odd')")
    world.compute.end(0)

    world.step()

    (bodies,) = [arguments[0] for arguments in world.named("results.send")]
    assert len(bodies) == 2
    (error,) = world.errors()
    assert (error.job, error.attempt, error.plan) == (job.id, job.attempt, job.plan)
    assert sum(world.left()) == 1


def test_a_report_that_cannot_be_sent_delays_nothing_and_comes_later() -> None:
    world = World()
    world.submit(chunks=2)
    world.step()
    world.results.failing["send"] = busy()
    world.compute.end(0, error="odd")
    world.step(3)
    assert world.left() == (1, 1)  # given back, although nobody could be told

    del world.results.failing["send"]
    world.run()

    assert len(world.errors()) == 1
    assert [result.chunk for result in world.sent()] == [0, 1]


def test_reports_never_pile_up() -> None:
    world = World()
    job = world.submit(chunks=1)
    token = a_token(job, 0)
    chunk = Envelope(job=job.id, attempt=job.attempt, chunk=0, plan=job.plan, token=token)
    for n in range(150):
        world.worker._outbox.report(chunk, 1, STUCK, f"{n}")
    world.step()

    assert [error.text for error in world.errors()] == [f"{n}" for n in range(50, 150)]


def test_a_chunk_that_hangs_is_told_of_and_one_whose_lease_could_not_be_kept_is_not() -> None:
    for moves, codes in ((False, [STUCK]), (True, [])):
        world = World()
        world.submit(chunks=1)
        world.step()
        world.compute.move()
        if moves:
            world.chunks.failing["extend"] = busy()
        while not world.compute.discarded:
            if moves:
                world.compute.move()
            world.step()
        world.step()

        assert [error.code for error in world.errors()] == codes


def test_a_service_that_refuses_us_ends_the_worker() -> None:
    world = World()
    world.chunks.failing["receive"] = ServiceDenied("no such queue")

    with pytest.raises(ServiceDenied):
        world.step()


def test_an_outcome_that_comes_after_its_chunk_was_let_go_is_not_sent() -> None:
    world = World()
    world.submit(chunks=1)
    world.step()
    world.compute.end()  # between the worker's last look and the end of the job
    job = next(iter(world.ledger.read_many(world.ledger.unfinished()).values()))
    world.ledger.fail(job.id, job.attempt, JobError("x", "y"), now=NOW)
    outcomes = world.compute.finished()
    world.compute.tasks[1] = None  # type: ignore[assignment]
    world.clock.advance(7)
    world.step()
    world.compute.outcomes = outcomes

    world.step(2)

    assert world.sent() == []
