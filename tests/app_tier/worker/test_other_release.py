"""What another release wrote: given back, told of, and kept away from for a while."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from app_tier.worker.context import REST_SECONDS, OtherReleaseMessages
from app_tier.worker.step_report import WorkerExit
from gridwell.engine.errors import InvalidMessage
from gridwell.engine.messages import TASKS_VERSION, VERSION
from gridwell.engine.task_failure import UNSUPPORTED
from tests.harness.builders import NOW, a_problem
from tests.harness.worker import World, actions

if TYPE_CHECKING:
    import pytest

    from gridwell.engine.job import Job


LATER = (
    f"a message of version {TASKS_VERSION + 1}, this release reads version "
    f"{VERSION} and {TASKS_VERSION}"
)


def send_later_version(world: World, job: Job, chunks: int) -> None:
    world.send(job, range(chunks))
    for message in world.queue._messages.values():
        message.body = json.dumps(
            {**json.loads(message.body), "version": TASKS_VERSION + 1, "colour": "blue"}
        )


def test_a_refused_problem_is_refused_for_some_minutes() -> None:
    foreign = OtherReleaseMessages()
    foreign.refuse("a", "of format 2", 1000.0)
    foreign.refuse("b", "of format 3", 1100.0)

    assert (foreign.reason("a", 1299.0), foreign.reason("a", 1301.0)) == ("of format 2", None)
    assert foreign.reason("b", 1301.0) == "of format 3"
    assert foreign.reason("c", 1000.0) is None


def test_what_was_refused_is_said_for_some_minutes() -> None:
    foreign = OtherReleaseMessages()
    assert foreign.latest(1000.0) == ""

    foreign.met("a message of version 2", 1000.0)

    assert foreign.latest(1299.0) == "a message of version 2"
    assert foreign.latest(1301.0) == ""


def test_a_message_of_another_version_is_told_of_by_what_every_version_says() -> None:
    world = World()
    job = world.submit(chunks=1, send=[])
    send_later_version(world, job, 1)

    world.step()
    world.step()

    (error,) = world.errors()
    assert (error.job, error.attempt, error.chunk) == (job.id, job.attempt, 0)
    assert (error.plan, error.code, error.receives) == (job.plan, UNSUPPORTED, 1)
    assert error.text == LATER
    assert world.named("chunks.delete") == []


def test_a_message_given_back_before_lets_the_queue_be_for_a_while() -> None:
    world = World()
    send_later_version(world, world.submit(chunks=1, send=[]), 1)

    world.step(2)  # first seen, then again
    polls = len(world.named("chunks.receive"))
    before = world.clock.now()
    while len(world.named("chunks.receive")) == polls:
        world.step()

    assert world.clock.now() - before >= REST_SECONDS - 1


def test_only_messages_that_came_before_count_towards_going_home() -> None:
    world = World(minimum_uptime=0)
    job = world.submit(chunks=4, send=[])
    send_later_version(world, job, 4)

    world.step(2)  # all four are new
    assert world.worker._inbox.empty_polls == 0
    while (ended := world.step().exit) is None:
        assert world.clock.now() < NOW + 300

    assert ended is WorkerExit.IDLE
    assert world.dead.depth().visible == 0
    assert sum(world.left()) == 4


def test_a_job_of_another_releases_ledger_hides_no_other_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(cores=2)
    odd, own = world.submit(a_problem(seed=1), chunks=1), world.submit(a_problem(seed=2), chunks=1)
    read = world.ledger.read

    def read_one(job: str) -> Job | None:
        if job == odd.id:
            raise InvalidMessage(f"the ledger's item {job} does not hold a job")
        return read(job)

    def read_many(jobs: list[str]) -> dict[str, Job]:
        return {job: found for job in jobs if (found := read_one(job)) is not None}

    monkeypatch.setattr(world.ledger, "read", read_one)
    monkeypatch.setattr(world.ledger, "read_many", read_many)

    step = world.step()

    assert [task.spec for task in world.compute.tasks.values()] == [own.spec]
    assert actions(step) == ["worker.chunk_refused"]
    world.step()
    (error,) = world.errors()
    assert (error.job, error.code) == (odd.id, UNSUPPORTED)
    assert "does not hold a job" in error.text
    assert world.named("chunks.delete") == []


def test_a_chunk_in_hand_is_kept_while_its_job_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.submit(chunks=1)
    world.step()
    world.compute.move()

    def unreadable(*_: object) -> None:
        raise InvalidMessage("does not hold a job")

    monkeypatch.setattr(world.ledger, "read", unreadable)
    monkeypatch.setattr(world.ledger, "read_many", unreadable)
    world.clock.advance(7)
    world.step()

    assert world.compute.discarded == []
    world.compute.end()
    world.step()
    assert len(world.sent()) == 1


def test_the_heartbeat_says_what_is_refused() -> None:
    world = World()
    send_later_version(world, world.submit(chunks=1, send=[]), 1)

    world.step()
    world.clock.advance(7)
    world.step()

    last = world.named("fleet.beat")[-1][0]
    assert last.refuses == LATER
