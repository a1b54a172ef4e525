"""An unfit machine is terminated and replaced, and no other inherits its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from autoscaler.daemon import Daemon
from autoscaler.decide.decide import decide
from autoscaler.decide.fitness import OBEYS_SECONDS, spoilt, why_unfit
from autoscaler.decide.model import Policy, Snapshot
from autoscaler.observe import ObservedPorts
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryLedger, MemoryQueue
from gridwell.engine.task_failure import Suspect
from gridwell.fleet.model import Heartbeat, Instance, InstanceState
from gridwell.fleet.refusal import UNFIT, Cause, Refusal
from tests.autoscaler.decide.snapshots import NOW, POLICY, RELEASE, beat, instance, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

FULL = "OSError(28, 'No space left on device')"


def a_suspect(one: Instance) -> Suspect:
    return Suspect(
        worker=one.arn, attempts=frozenset({"a"}), job="j", why="a point is lower", at=NOW
    )


def unfit_beat(one: Instance, **changes: Any) -> Heartbeat:
    return beat(one, draining=True, unfit=FULL, **changes)


def a_refusal(name: str, *, age: float = 0.0, slot: int = 0, cause: str = Cause.UNFIT) -> Refusal:
    return Refusal(
        action=UNFIT,
        target=name,
        cause=cause,
        code=f"slot {slot:02d}",
        message=FULL,
        since=NOW - age,
        at=NOW - age,
        release=RELEASE,
    )


# --- the decision


def test_a_stopped_machine_that_is_unfit_is_terminated_and_not_started() -> None:
    one = instance(0, "stopped")
    plan = decide(snapshot(one, visible=4, heartbeats={one.arn: unfit_beat(one)}), POLICY)

    assert plan.terminate == (one.id,)
    assert plan.start == ()
    assert "terminate 1 not fit to work" in plan.reason


def test_a_stopped_suspect_is_terminated_and_not_started() -> None:
    one = instance(0, "stopped")
    seen = snapshot(one, visible=4, suspects={one.arn: a_suspect(one)})

    plan = decide(seen, POLICY)

    assert plan.terminate == (one.id,)
    assert plan.start == ()


def test_an_unfit_machine_that_is_on_is_no_capacity() -> None:
    one = instance(0)
    plan = decide(snapshot(one, visible=4, heartbeats={one.arn: unfit_beat(one)}), POLICY)

    assert len(plan.launch) == 1
    assert plan.stop == ()  # it switches itself off


def test_a_suspect_that_goes_on_working_is_stopped_after_its_patience() -> None:
    one, other = instance(0), instance(1)
    for age, stops in ((OBEYS_SECONDS - 1, 0), (OBEYS_SECONDS + 1, 1)):
        seen = snapshot(
            one,
            other,
            suspects={one.arn: a_suspect(one)},
            refusals=(a_refusal(one.id, age=age),),
        )
        plan = decide(seen, POLICY)
        assert [stop.instance for stop in plan.stop] == [one.id] * stops


def test_a_slot_whose_machine_was_unfit_is_tried_last() -> None:
    seen = snapshot(visible=4, refusals=(a_refusal("i-9", slot=0),))
    policy = replace(POLICY, chunks_per_instance=1)

    assert decide(seen, policy).launch == (1, 2, 3, 4)
    assert decide(seen, replace(policy, max_instances=1)).launch == (1,)


def test_a_row_of_unfit_machines_leaves_one_at_a_time_with_growing_pauses() -> None:
    row = tuple(a_refusal(f"i-{n}", slot=n) for n in range(7, 10))
    held = decide(snapshot(visible=16, refusals=row), POLICY)
    assert held.launch == ()
    assert "3 machines in a row were not fit to work" in held.held
    assert FULL in held.held

    later = tuple(replace(one, at=one.at - 61) for one in row)
    tried = decide(snapshot(visible=16, refusals=later), POLICY)
    assert len(tried.launch) == 1
    on_trial = snapshot(instance(0), visible=16, refusals=later)
    assert decide(on_trial, POLICY).launch == ()


@pytest.mark.parametrize(
    "changes", [{"cause": Cause.CLEARED}, {"release": "release-0"}], ids=["others work", "old"]
)
def test_a_row_that_is_not_the_releases_fault_holds_nothing_up(changes: dict[str, Any]) -> None:
    row = tuple(replace(a_refusal(f"i-{n}", slot=n), **changes) for n in range(7, 10))

    assert len(decide(snapshot(visible=16, refusals=row), POLICY).launch) == 4


def test_the_verdict_is_the_instances_and_not_its_slots() -> None:
    gone = instance(0, "terminated", id="i-old")
    new = instance(0, "stopped", id="i-new")
    seen = snapshot(new, gone, heartbeats={gone.arn: unfit_beat(gone)}, visible=1)

    assert why_unfit(new, seen.heartbeats, seen.suspects) == ""
    assert [start.instance for start in decide(seen, POLICY).start] == ["i-new"]


def test_nothing_is_terminated_while_heartbeats_cannot_be_read() -> None:
    one = instance(0, "stopped")
    seen: Snapshot = snapshot(
        one, heartbeats={one.arn: unfit_beat(one)}, unknown=frozenset({"heartbeats"})
    )

    assert decide(seen, POLICY).terminate == ()


def test_a_machine_remembered_as_unfit_is_not_started_while_heartbeats_cannot_be_read() -> None:
    one = instance(0, "stopped")
    unknown = frozenset({"heartbeats"})

    plan = decide(snapshot(one, visible=4, unknown=unknown, refusals=(a_refusal(one.id),)), POLICY)

    assert plan.start == ()
    assert len(decide(snapshot(one, visible=4, unknown=unknown), POLICY).start) == 1


# --- the daemon


class Fleet:
    """The real daemon on memory doubles, with workers that may be unfit."""

    def __init__(self, *, cap: int, bad: Callable[[Instance], bool]) -> None:
        self.clock = ManualClock()
        self.ec2 = MemoryEc2(self.clock, boot_seconds=30.0, stop_seconds=20.0)
        self.queue = MemoryQueue(self.clock)
        self.ledger = MemoryLedger()
        self.policy = Policy(max_instances=cap, chunks_per_instance=1)
        self.bad = bad
        self.lies: set[str] = set()  #: instances that go on working though they are suspected
        self.most = 0
        self.counts: dict[str, int] = {}
        self.daemon = self.new_daemon()

    def new_daemon(self) -> Daemon:
        ports = ObservedPorts(ec2=self.ec2, chunks=self.queue, ledger=self.ledger, clock=self.clock)
        return Daemon(ports, self.policy, fleet="gridwell", owner="d", tick_seconds=10.0)

    def run(self, minutes: float) -> None:
        for _ in range(int(minutes * 6)):
            self.daemon.tick()
            for one in self.ec2.instances():
                if one.state is InstanceState.RUNNING:
                    self._work(one)
            self.clock.advance(10.0)
            standing = [i for i in self.ec2.instances() if i.state is not InstanceState.TERMINATED]
            self.most = max(self.most, len(standing))

    def _work(self, one: Instance) -> None:
        unfit = self.bad(one)
        self.counts[one.id] = self.counts.get(one.id, 0) + 1
        self.ledger.beat(
            Heartbeat(
                worker=one.arn,
                at=self.clock.now(),
                busy=0,
                draining=unfit,
                chunks=0 if unfit else self.counts[one.id],
                seconds=0.0,
                version="1",
                unfit=FULL if unfit else "",
                run=one.id,
                count=self.counts[one.id],
            )
        )
        if unfit:
            self.ec2.power_off(one.id)

    @property
    def working(self) -> list[str]:
        return [
            one.id
            for one in self.ec2.instances()
            if one.state is InstanceState.RUNNING and not self.bad(one)
        ]

    @property
    def launches(self) -> int:
        return len(self.ec2.instances())


@pytest.mark.parametrize("cap", [1, 2, 4])
def test_a_bad_machine_is_replaced_and_the_fleet_is_whole_again(cap: int) -> None:
    first: list[str] = []

    def bad(one: Instance) -> bool:
        first[:] = first or [one.id]
        return one.id == first[0]

    fleet = Fleet(cap=cap, bad=bad)
    fleet.queue.send(["chunk"] * cap)
    fleet.run(10)

    assert len(fleet.working) == cap
    states = {one.id: one.state for one in fleet.ec2.instances()}
    assert states[first[0]] is InstanceState.TERMINATED
    assert fleet.most <= cap


@pytest.mark.parametrize("cap", [1, 2, 4])
def test_a_slot_whose_every_machine_is_bad_is_left_for_another(cap: int) -> None:
    fleet = Fleet(cap=cap, bad=lambda one: one.slot == 0)
    fleet.queue.send(["chunk"] * cap)
    fleet.run(10)

    assert len(fleet.working) == cap
    assert fleet.most <= cap


def test_machines_that_are_all_bad_are_not_launched_on_and_on() -> None:
    fleet = Fleet(cap=4, bad=lambda _: True)
    fleet.queue.send(["chunk"] * 16)
    fleet.run(6 * 60)

    # Four at once, two more before a row is seen, then one each quarter of an hour.
    assert fleet.launches <= 4 + 4 + 6 * 4 + 6
    view = fleet.ledger.view()
    assert view is not None
    assert "machines in a row were not fit to work" in view.held


def test_a_mended_image_is_tried_within_the_longest_pause() -> None:
    broken = True
    fleet = Fleet(cap=2, bad=lambda _: broken)
    fleet.queue.send(["chunk"] * 8)
    fleet.run(120)
    broken = False
    fleet.run(30)

    assert len(fleet.working) == 2


def test_a_restarted_autoscaler_goes_on_with_the_row() -> None:
    fleet = Fleet(cap=1, bad=lambda _: True)
    fleet.queue.send(["chunk"] * 8)
    for _ in range(12):
        fleet.run(15)
        fleet.daemon.end()
        fleet.daemon = fleet.new_daemon()

    assert fleet.launches <= 3 + 4 * 3 + 4


def test_a_suspect_that_does_not_obey_is_stopped_terminated_and_replaced() -> None:
    fleet = Fleet(cap=1, bad=lambda _: False)
    fleet.queue.send(["chunk"])
    fleet.run(5)
    (liar,) = fleet.working
    one = next(i for i in fleet.ec2.instances() if i.id == liar)
    fleet.ledger.record_suspect(a_suspect(one))
    fleet.run(10)

    assert fleet.working
    assert liar not in fleet.working
    states = {one.id: one.state for one in fleet.ec2.instances()}
    assert states[liar] is InstanceState.TERMINATED


def test_a_machine_started_again_by_hand_that_passes_its_test_is_forgiven() -> None:
    sick = True
    fleet = Fleet(cap=1, bad=lambda _: sick)
    fleet.policy = replace(fleet.policy, terminate_per_tick=0)
    fleet.daemon = fleet.new_daemon()
    fleet.queue.send(["chunk"])
    fleet.run(5)
    (one,) = fleet.ec2.instances()
    assert one.state is InstanceState.STOPPED
    view = fleet.ledger.view()
    assert view is not None
    assert spoilt(view.refusals) == {0}

    sick = False
    fleet.ec2.start(one.id)
    fleet.run(5)

    assert fleet.working == [one.id]
    view = fleet.ledger.view()
    assert view is not None
    assert spoilt(view.refusals) == frozenset()


def test_an_old_verdict_is_forgotten_with_its_machine() -> None:
    fleet = Fleet(cap=1, bad=lambda one: one.slot == 0)
    fleet.queue.send(["chunk"])
    fleet.run(90)

    view = fleet.ledger.view()
    assert view is not None
    assert spoilt(view.refusals) == frozenset()
