"""Idleness, leases, heartbeats, and being told to stop."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from app_tier.worker.step_report import WorkerExit
from tests.harness.builders import NOW
from tests.harness.worker import WORKER, World, actions, busy

if TYPE_CHECKING:
    from gridwell.fleet.model import Heartbeat


def beats(world: World) -> list[Heartbeat]:
    return [arguments[0] for arguments in world.named("fleet.beat")]


def test_three_empty_long_polls_in_a_row_are_idle_and_not_fewer() -> None:
    world = World(minimum_uptime=0)

    assert world.step(2).exit is None
    assert world.step().exit is WorkerExit.IDLE
    assert [call["wait"] for call in world.named("chunks.receive")] == [20.0] * 3


def test_a_message_between_empty_polls_starts_the_count_again() -> None:
    world = World(minimum_uptime=0)
    world.step(2)
    world.submit(chunks=1)
    world.step()
    world.compute.end()
    world.step()  # sends the result, and polls: the first empty one

    assert world.step().exit is None
    assert world.step().exit is WorkerExit.IDLE


def test_short_polls_while_something_is_in_hand_say_nothing_about_idleness() -> None:
    world = World(minimum_uptime=0)
    world.submit(chunks=1)
    for _ in range(20):
        world.compute.move()
        world.step()
    world.compute.end()

    assert world.step(2).exit is None
    assert world.step().exit is WorkerExit.IDLE


def test_a_message_that_was_void_is_a_message_all_the_same() -> None:
    world = World(minimum_uptime=0)
    world.step(2)
    world.submit(chunks=1, deadline=NOW - 1)

    assert world.step(3).exit is None
    assert world.step().exit is WorkerExit.IDLE


def test_a_failed_poll_is_not_an_empty_one() -> None:
    world = World(minimum_uptime=0)
    world.step(2)
    world.chunks.failing["receive"] = busy()
    assert world.step(20).exit is None
    del world.chunks.failing["receive"]

    assert world.run() is WorkerExit.IDLE


def test_a_queue_that_does_not_answer_is_asked_less_and_less_often() -> None:
    world = World(minimum_uptime=0)
    world.chunks.failing["receive"] = busy()

    world.step(120)

    elapsed = world.clock.now() - NOW
    assert elapsed > 100
    assert len(world.named("chunks.receive")) < 12


def test_an_idle_worker_stays_until_its_minimum_uptime() -> None:
    world = World(minimum_uptime=100, poll_seconds=2)

    assert world.run() is WorkerExit.IDLE
    assert 100 <= world.clock.now() - NOW <= 104


def test_the_last_heartbeat_of_an_idle_worker_says_that_it_drains() -> None:
    world = World()

    world.run()

    sent = beats(world)
    assert [beat.draining for beat in sent] == [False] * (len(sent) - 1) + [True]
    assert {beat.worker for beat in sent} == {WORKER}


def test_heartbeats_come_every_five_seconds_and_tell_what_is_in_hand() -> None:
    world = World(cores=2)
    world.submit(chunks=2)
    for _ in range(60):
        world.compute.move()
        world.step()

    sent = beats(world)
    gaps = [b.at - a.at for a, b in itertools.pairwise(sent)]
    assert all(4 <= gap <= 7 for gap in gaps)
    assert sent[-1].busy == 2
    world.compute.end()
    world.run()
    assert (beats(world)[-1].chunks, beats(world)[-1].seconds) == (2, 1.0)


def test_a_heartbeat_that_fails_stops_no_work() -> None:
    world = World()
    world.submit(chunks=2)
    world.fleet.failing["beat"] = busy()

    world.run()

    assert len(world.sent()) == 2


def test_a_chunk_that_moves_is_kept_past_its_first_lease() -> None:
    world = World()
    world.submit(chunks=1)
    for _ in range(300):
        world.compute.move()
        world.step()
    assert world.clock.now() - NOW > 200
    assert world.left() == (0, 1)

    world.run()

    assert len(world.sent()) == 1


def test_a_chunk_that_hangs_is_given_up_when_its_lease_ends() -> None:
    world = World()
    world.submit(chunks=1)
    world.step()
    world.compute.move()

    noted = [note for _ in range(130) for note in actions(world.step())]

    assert "worker.chunk_given_up" in noted
    assert world.compute.discarded[0] == 1


def test_a_chunk_that_never_ends_is_given_up_at_the_hard_limit() -> None:
    world = World()
    world.submit(chunks=1)
    world.step()
    while not world.compute.discarded:
        world.compute.move()
        world.step()

    assert 600 <= world.clock.now() - NOW < 605


def test_a_chunk_waiting_for_its_turn_keeps_its_lease() -> None:
    world = World()
    world.submit(chunks=2)
    world.step()
    for _ in range(200):
        world.compute.moves[1] = world.compute.moves.get(1, 0) + 1  # the second never starts
        world.step()

    assert world.left() == (0, 2)
    assert world.compute.discarded == []


def test_a_lease_that_could_not_be_extended_is_tried_again_in_time() -> None:
    world = World()
    world.submit(chunks=1)
    world.chunks.failing["extend"] = busy()
    for _ in range(40):
        world.compute.move()
        world.step()
    del world.chunks.failing["extend"]
    for _ in range(60):
        world.compute.move()
        world.step()

    assert world.left() == (0, 1)
    assert world.compute.discarded == []


def test_told_to_stop_it_gives_back_what_has_not_started_and_finishes_what_has() -> None:
    world = World(cores=1)
    world.submit(chunks=4)
    world.step()
    world.compute.moves[1] = 1

    world.worker.stop()
    world.step()

    assert world.compute.discarded == [2]
    assert world.left() == (3, 1)
    world.compute.end()
    assert world.step().exit is WorkerExit.STOPPED
    assert [result.chunk for result in world.sent()] == [0]
    assert world.left() == (3, 0)
    assert beats(world)[-1].draining


def test_told_to_stop_it_receives_nothing_more() -> None:
    world = World()
    world.worker.stop()
    world.submit(chunks=1)

    assert world.step().exit is WorkerExit.STOPPED
    assert world.named("chunks.receive") == []


def test_what_a_poll_in_flight_returns_after_the_stop_is_given_back_at_once() -> None:
    world = World()
    world.submit(chunks=2)
    world.chunks.before["receive"] = world.worker.stop

    assert world.step().exit is None
    assert world.left() == (2, 0)
    assert world.step().exit is WorkerExit.STOPPED


def test_what_computes_too_long_after_a_stop_is_given_back() -> None:
    world = World()
    world.submit(chunks=1)
    world.step()
    world.compute.move()
    world.worker.stop()
    stopped_at = world.clock.now()

    for _ in range(100):
        world.compute.move()
        if world.step().exit is WorkerExit.STOPPED:
            break

    assert 20 <= world.clock.now() - stopped_at <= 21
    assert world.left() == (1, 0)


def test_a_stop_while_idle_is_a_stop_and_not_idleness() -> None:
    world = World(minimum_uptime=0)
    world.step(2)
    world.chunks.before["receive"] = world.worker.stop

    assert world.step().exit is None
    assert world.step().exit is WorkerExit.STOPPED


def test_only_idleness_has_the_status_that_powers_off() -> None:
    assert (WorkerExit.IDLE.value, WorkerExit.STOPPED.value) == (0, 75)
