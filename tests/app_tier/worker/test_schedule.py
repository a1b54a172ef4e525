"""What may be ending workers is computed alone, all else as before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_tier.worker.held_tasks import HeldTask, TaskLease
from app_tier.worker.schedule import SUSPECT_RECEIVES, isolate_suspects
from gridwell.engine.messages import ChunkMessage
from gridwell.engine.task_failure import failure_of
from gridwell.kinds.grid.job_view import grid_view
from tests.harness.builders import NOW, an_error
from tests.harness.grid_tasks import box_of
from tests.harness.worker import World, busy

if TYPE_CHECKING:
    from gridwell.engine.job import Job

MESSAGE = ChunkMessage(
    kind="minimum",
    job="0" * 32,
    attempt="1" * 16,
    chunk=3,
    plan="2" * 64,
    problem="3" * 64,
    token="4" * 64,
)


def held(*, suspect: bool, submitted: bool) -> HeldTask:
    lease = TaskLease.begin(0.0)
    return HeldTask(1, MESSAGE, ["r"], 1, lease, suspect=suspect, submitted=submitted)


hands = st.lists(st.builds(held, suspect=st.booleans(), submitted=st.booleans()), max_size=8)


@given(hands, st.floats(0, 1, exclude_max=True))
def test_a_suspect_is_computed_alone_and_somebody_always_is(
    hand: list[HeldTask], chance: float
) -> None:
    computing = [each for each in hand if each.submitted]

    now = isolate_suspects(hand, chance)

    if any(each.suspect for each in now):
        assert len(now) == 1
        assert not computing
    assert not any(each.submitted for each in now)
    if any(each.suspect for each in computing):
        assert now == []
    assert now or computing or not hand


def test_chunks_that_nobody_suspects_need_not_wait() -> None:
    hand = [held(suspect=False, submitted=False) for _ in range(5)]

    assert isolate_suspects(hand, 0.9) == hand


def received_often(world: World, job: Job, chunk: int, receives: int) -> None:
    """Send a chunk that was received so often before."""
    world.send(job, [chunk])
    list(world.queue._messages.values())[-1].receives = receives


def test_a_chunk_received_often_waits_until_it_is_alone_and_nothing_is_received_meanwhile() -> None:
    world = World(cores=2)
    job = world.submit(chunks=4, send=[0])
    received_often(world, job, 2, SUSPECT_RECEIVES)
    world.step()
    assert list(map(box_of, world.compute.tasks.values())) == [grid_view(job).chunking.box(0)]
    world.send(job, [1])

    world.step(5)
    assert len(world.compute.tasks) == 1
    assert world.left() == (1, 2)

    world.compute.end()
    world.step()
    assert list(map(box_of, world.compute.tasks.values())) == [grid_view(job).chunking.box(2)]
    world.run()
    assert [result.chunk for result in world.sent()] == [0, 1, 2]


def test_of_several_any_may_be_the_next() -> None:
    hand = [held(suspect=True, submitted=False) for _ in range(4)]

    assert {id(isolate_suspects(hand, k / 4)[0]) for k in range(4)} == set(map(id, hand))


@pytest.mark.parametrize("told", [False, True])
def test_a_chunk_of_which_an_error_was_told_ends_no_worker(told: bool) -> None:  # noqa: FBT001
    world = World(cores=2)
    job = world.submit(chunks=4, send=[0])
    if told:
        world.ledger.record_failure(failure_of(an_error(job, 2), NOW))
    received_often(world, job, 2, SUSPECT_RECEIVES)

    world.step()

    assert len(world.compute.tasks) == (2 if told else 1)


def test_a_ledger_that_does_not_answer_delays_the_judgement_alone() -> None:
    world = World()
    job = world.submit(chunks=4, send=[])
    received_often(world, job, 2, SUSPECT_RECEIVES)
    world.jobs.failing["read_failure"] = busy()
    world.step(2)
    assert world.compute.tasks == {}

    del world.jobs.failing["read_failure"]
    world.run()

    assert [result.chunk for result in world.sent()] == [2]


def test_a_suspect_that_waits_too_long_is_given_back_and_not_blamed() -> None:
    world = World(cores=2)
    job = world.submit(chunks=4, send=[0])
    received_often(world, job, 2, SUSPECT_RECEIVES)
    world.step()
    while world.clock.now() - NOW < 610:
        world.compute.move()
        world.step()
    world.step()

    assert {error.chunk for error in world.errors()} == {0}
