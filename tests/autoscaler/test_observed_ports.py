"""Times of other clocks, as one autoscaler observes them."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.observed_ports import (
    CLOCKS_APART,
    LONGEST_PAUSE,
    ObservedEc2,
    ObservedLedger,
    OwnClock,
)
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryLedger, WrongClock
from gridwell.engine.ports import Depth
from gridwell.fleet.model import (
    FUTURE_TIMES,
    PAST_TIMES,
    PATIENCE_TIMES,
    FleetView,
    Heartbeat,
    Offering,
    Slot,
)
from gridwell.fleet.refusal import Refusal
from tests.autoscaler.decide.snapshots import NOW, beat, instance

COUNTS = {"number", "epoch", "failures", "failed_boots", "fence"}
skews = st.floats(-600, 600) | st.sampled_from([-1e9, 1e9])


class Observer:
    """One autoscaler's view of a ledger, by a clock that may be wrong."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.right = ManualClock(NOW)
        self.wrong = WrongClock(self.right, ahead=ahead)
        self.own = OwnClock(self.wrong)
        self.inner = MemoryLedger()
        self.ledger = ObservedLedger(self.inner, self.own)

    def slot(self) -> Slot:
        (slot,) = self.ledger.slots()
        return slot

    def age(self, at: float | None) -> float:
        assert at is not None
        return self.own.now() - at


def test_every_moment_of_a_slot_is_translated() -> None:
    named = {*PAST_TIMES, *PATIENCE_TIMES, *FUTURE_TIMES}
    numbers = {
        field.name
        for field in dataclasses.fields(Slot)
        if "float" in str(field.type) and field.name != "refusals"
    }

    assert numbers - COUNTS == named


@given(skews, skews)
def test_a_start_by_another_clock_began_when_it_was_first_seen(ahead: float, theirs: float) -> None:
    observer = Observer(ahead)
    begun = Slot(number=0, epoch=1, started_at=NOW + theirs, stopping_since=NOW + theirs)
    observer.inner.write_slot(begun, seen=Slot(number=0))
    observer.slot()
    observer.right.advance(100)

    slot = observer.slot()

    assert 98.9 <= observer.age(slot.started_at) <= 100.1
    assert observer.age(slot.stopping_since) == pytest.approx(100.0, abs=1e-3)


@given(skews, st.floats(0, 5000))
def test_what_we_wrote_is_as_old_as_it_is(ahead: float, age: float) -> None:
    observer = Observer(ahead)
    now = observer.own.now()
    ours = Slot(number=0, epoch=1, started_at=now, stopped_since=now, not_before=now + 60)
    observer.ledger.write_slot(ours, seen=Slot(number=0))
    observer.right.advance(age)
    observer.wrong.ahead = -ahead
    observer.own.begin()

    slot = observer.slot()

    assert observer.age(slot.started_at) == pytest.approx(age, abs=1e-2)
    assert observer.age(slot.stopped_since) == pytest.approx(age, abs=1e-2)
    assert observer.age(slot.not_before) == pytest.approx(age - 60, abs=1e-2)


def test_a_pause_of_another_clock_lasts_no_longer_than_any_pause() -> None:
    observer = Observer()
    observer.inner.write_slot(Slot(number=0, not_before=NOW + 1e9), seen=Slot(number=0))

    assert observer.slot().not_before == NOW + LONGEST_PAUSE


def test_a_stopped_machine_keeps_its_age_through_a_restart_less_what_clocks_may_differ() -> None:
    observer = Observer()
    stopped = Slot(number=0, instance="i-0", stopped_since=NOW - 86_400)
    observer.inner.write_slot(stopped, seen=Slot(number=0))

    assert observer.age(observer.slot().stopped_since) == 86_400 - CLOCKS_APART


@given(skews)
def test_moments_that_were_only_observed_are_written_back_as_they_were(ahead: float) -> None:
    observer = Observer(ahead)
    stored = Slot(
        number=0,
        epoch=1,
        started_at=NOW + 77.25,
        stopping_since=NOW - 1.5,
        failed_at=NOW - 9.0,
        proven_at=NOW - 99.0,
        stopped_since=NOW - 3.0,
        not_before=NOW + 5.0,
        refusals=((Offering("a"), NOW - 4.0), (Offering("b"), NOW + 4.0)),
    )
    observer.inner.write_slot(stored, seen=Slot(number=0))
    slot = observer.slot()

    observer.ledger.write_slot(replace(slot, failures=1), seen=slot)

    assert observer.inner.slots() == (replace(stored, failures=1),)


@given(skews, st.lists(skews, min_size=1, max_size=6))
def test_a_heartbeat_is_as_old_as_its_last_change(ahead: float, theirs: list[float]) -> None:
    observer = Observer(ahead)
    arn = instance(0).arn
    for number, skew in enumerate(theirs):
        observer.inner.beat(replace(beat(instance(0)), at=NOW + skew, count=number, run="r"))
        at = observer.ledger.heartbeats([arn])[arn].at
        assert observer.age(at) == pytest.approx(0.0, abs=1e-3)
        observer.right.advance(300)

    assert observer.age(observer.ledger.heartbeats([arn])[arn].at) == pytest.approx(300, abs=1e-3)


def test_no_two_heartbeats_of_a_machine_have_one_mark() -> None:
    first = Heartbeat(
        worker="w",
        at=NOW,
        busy=0,
        draining=False,
        chunks=0,
        seconds=0.0,
        version="1",
        run="a",
        count=1,
    )
    older = replace(first, run="")
    others = (
        replace(first, count=2),
        replace(first, run="b"),
        older,
        replace(older, at=NOW + 1),
        replace(older, unreadable="row 1"),
        replace(older, unreadable="row 2"),
    )
    long = replace(first, run="x" * 100_000)

    assert len({beat.mark for beat in (first, *others)}) == 7
    assert len(long.mark) == len(first.mark)


def test_an_instance_is_as_old_as_the_first_sight_of_its_launch_time() -> None:
    observer = Observer(ahead=600.0)
    machines = MemoryEc2(observer.right)
    ec2 = ObservedEc2(machines, observer.own)
    name = machines.launch(0, "t" * 32)
    observer.right.advance(10)
    ec2.instances()
    observer.right.advance(100)
    (seen,) = ec2.instances(only=(name,))
    machines.power_off(name)
    observer.right.advance(100)
    machines.start(name)
    (again,) = ec2.instances()

    assert observer.age(seen.observed_at) == 200.0
    assert observer.age(again.observed_at) == 0.0
    assert seen.launched == NOW


@given(skews)
def test_a_row_that_another_could_not_read_is_waited_for_by_our_own_clock(ahead: float) -> None:
    observer = Observer()
    rows = tuple(
        Refusal(
            action=action, target="slot 03", cause="unreadable", since=NOW + ahead, at=NOW + ahead
        )
        for action in ("read", "stop")
    )
    view = FleetView(
        at=NOW, instances=(), queue=Depth(visible=0, in_flight=0), cap=1, refusals=rows
    )
    observer.inner.write_view(replace(view, arrived_at=NOW + ahead))

    seen = observer.ledger.view()

    assert seen is not None
    assert seen.refusals[0].since == NOW
    assert seen.refusals[1].since == min(NOW, NOW + ahead)
    assert {one.at for one in seen.refusals} == {min(NOW, NOW + ahead)}
    assert seen.arrived_at == min(NOW, NOW + ahead)


def test_what_is_forgotten_of_many_machines_is_bounded() -> None:
    observer = Observer()
    rng = random.Random(1)
    for _ in range(5000):
        slot = Slot(number=rng.randrange(100), epoch=rng.getrandbits(30), started_at=rng.random())
        observer.inner._slots = {slot.number: slot}
        observer.ledger.slots()

    assert sum(map(len, observer.ledger._moments._known.values())) <= 1000
