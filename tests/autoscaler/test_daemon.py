from __future__ import annotations

import logging
import random
from typing import Any

import pytest

from autoscaler.daemon import Daemon
from autoscaler.decide.model import Policy
from gridwell.engine.errors import ServiceBusy
from gridwell.fleet.model import Control, InstanceState
from tests.harness.fleet import Faults, World

POLICY = Policy(max_instances=4)


@pytest.fixture
def world() -> World:
    return World(rng=random.Random(1), policy=POLICY)


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [getattr(record, "action", "") for record in caplog.records]


def test_it_grows_with_the_queue_and_writes_why(world: World) -> None:
    world.send(9)

    world.daemon().tick()

    view = world.ledger.view()
    assert world.count(InstanceState.PENDING) == 3
    assert view is not None
    (decision,) = view.decisions
    assert (decision.launch, decision.at) == (3, world.clock.now())
    assert decision.reason == (
        "9 chunks waiting + 0 in flight = 9, want 3 of cap 4; none there; launch 3"
    )


def test_it_sees_at_the_next_tick_what_it_did(world: World) -> None:
    world.send(1)
    daemon = world.daemon()
    daemon.tick()
    world.step(1.0)

    plan = daemon.tick()

    view = world.ledger.view()
    assert plan is not None
    assert plan.is_empty
    assert view is not None
    assert [instance.state for instance in view.instances] == ["pending"]


def test_one_record_a_decision_and_none_a_tick(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.send(1)
    daemon = world.daemon()

    for _ in range(5):
        daemon.tick()
        world.clock.advance(1.0)

    assert events(caplog) == ["fleet.decided"]


def test_what_is_wrong_is_logged_when_it_begins_and_ends(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    daemon = world.daemon()
    world.faults = Faults(lost_call=1.0)

    for _ in range(3):
        assert daemon.tick() is None
    during = events(caplog)
    world.faults = Faults()
    daemon.tick()

    assert during == ["fleet.tick_failed"]
    assert events(caplog)[1:] == ["fleet.tick_failed.over"]


def test_a_read_that_fails_is_logged_when_it_begins_and_ends(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> str:
        raise ServiceBusy("throttled")

    caplog.set_level(logging.INFO)
    daemon = world.daemon()
    monkeypatch.setattr(world.ec2, "release", away)
    daemon.tick()
    daemon.tick()
    monkeypatch.undo()

    daemon.tick()

    assert events(caplog) == ["fleet.read_failed", "fleet.read_failed.over"]


def test_a_need_that_nobody_may_serve_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.ledger.write_control(Control(paused=True))
    daemon = world.daemon()

    for _ in range(3):
        world.send(1)
        daemon.tick()
        world.clock.advance(1.0)

    (record,) = caplog.records
    assert "short: paused by the operator" in record.getMessage()


def test_the_operators_switch_is_heard_at_the_next_tick(world: World) -> None:
    world.send(9)
    world.ledger.write_control(Control(paused=True))
    daemon = world.daemon()
    daemon.tick()
    assert world.look() == ()
    world.ledger.write_control(Control(cap=2))

    daemon.tick()

    view = world.ledger.view()
    assert len(world.look()) == 2
    assert view is not None
    assert (view.cap, view.paused) == (2, False)


def test_a_rehearsal_says_what_it_would_do_and_changes_nothing(world: World) -> None:
    world.send(9)
    world.ec2.launch(0, "a token of nobody's")
    said: list[str] = []

    world.daemon(rehearse=said.append).tick()

    assert said == ["9 chunks waiting + 0 in flight = 9, want 3 of cap 4; 1 booting; launch 2"]
    assert len(world.look()) == 1
    assert world.ledger.slots() == ()
    assert world.ledger.view() is None


def test_it_ticks_at_its_pace_until_told_to_stop(world: World) -> None:
    began = world.clock.now()
    ticks: list[float] = []

    class Counted(Daemon):
        def tick(self) -> Any:
            ticks.append(world.clock.now() - began)
            if len(ticks) == 4:
                self.stop()
            return super().tick()

    daemon = Counted(world.daemon()._ports, POLICY, fleet="gridwell", owner="us", tick_seconds=10.0)
    daemon.run()

    assert ticks == [0.0, 10.0, 20.0, 30.0]
    assert world.clock.now() - began == 30.0  # it does not sleep out its last tick


def test_a_pace_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="tick_seconds is 0"):
        world.daemon(tick_seconds=0)


def test_a_ledger_that_takes_no_writes_stops_no_look_at_the_world(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> bool:
        raise ServiceBusy("throttled")

    world.send(1)
    daemon = world.daemon()
    monkeypatch.setattr(world.ledger, "write_slot", away)
    daemon.tick()
    assert world.look() == ()  # without an intent, no launch
    monkeypatch.undo()

    daemon.tick()

    assert len(world.look()) == 1


def test_a_new_release_replaces_the_stopped_instances(world: World) -> None:
    world.send(8)
    daemon = world.daemon()
    for _ in range(60):
        daemon.tick()
        world.step(10.0)
    assert world.count(InstanceState.STOPPED) == 2
    world.ec2.current_release = "release-2"

    for _ in range(12):
        daemon.tick()
        world.step(10.0)

    assert world.count(InstanceState.STOPPED) == 0
    world.send(1)
    daemon.tick()
    new = [one for one in world.look() if one.state is InstanceState.PENDING]
    assert [one.release for one in new] == ["release-2"]
