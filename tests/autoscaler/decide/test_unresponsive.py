"""Who is stopped from outside: only what gives no sign of life, or hangs in its shutdown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.decide import decide
from autoscaler.decide.failures import noted, refusal
from autoscaler.decide.model import Policy, Read, Stop
from gridwell.fleet.model import Control, InstanceState
from gridwell.fleet.refusal import Cause
from tests.autoscaler.decide.snapshots import NOW, POLICY, beat, instance, slot_of, snapshot


@pytest.mark.parametrize("state", ["pending", "running"])
@pytest.mark.parametrize(("age", "stopped"), [(179, False), (181, True)])
def test_what_never_speaks_is_stopped_after_its_grace(
    state: str, age: float, *, stopped: bool
) -> None:
    silent = instance(0, state, launched=NOW - age)

    plan = decide(snapshot(silent, heartbeats={}), POLICY)

    assert plan.stop == ((Stop(instance="i-0"),) if stopped else ())


@pytest.mark.parametrize(("age", "stopped"), [(179, False), (181, True)])
def test_what_spoke_once_is_stopped_after_a_grace_of_silence(age: float, *, stopped: bool) -> None:
    hung = instance(0)

    plan = decide(snapshot(hung, heartbeats={hung.arn: beat(hung, age=age)}), POLICY)

    assert bool(plan.stop) == stopped


def test_a_restarted_instance_is_not_stopped_for_the_silence_of_its_earlier_life() -> None:
    again = instance(0)
    slots = (slot_of(again, started_at=NOW - 100),)
    earlier = {again.arn: beat(again, age=3000)}

    assert decide(snapshot(again, slots=slots, heartbeats=earlier), POLICY).stop == ()


@pytest.mark.parametrize(("age", "stopped"), [(599, False), (601, True)])
def test_the_power_of_what_hangs_in_its_shutdown_is_cut_after_ten_minutes(
    age: float, *, stopped: bool
) -> None:
    hanging = instance(0, "stopping")
    slots = (slot_of(hanging, stopping_since=NOW - age),)

    plan = decide(snapshot(hanging, slots=slots), POLICY)

    assert plan.stop == ((Stop(instance="i-0", force=True),) if stopped else ())


def test_nothing_is_stopped_while_any_read_failed() -> None:
    silent = instance(0, launched=NOW - 1000)
    for read in Read:
        seen = snapshot(silent, heartbeats={}, unknown=frozenset({read}))
        assert decide(seen, POLICY).stop == ()


def test_a_pause_and_a_cap_of_none_stop_no_stopping() -> None:
    silent = instance(0, launched=NOW - 1000)
    for control in (Control(paused=True), Control(cap=0)):
        assert decide(snapshot(silent, heartbeats={}, control=control), POLICY).stop


def test_a_tick_stops_no_more_than_its_share_and_the_forced_ones_first() -> None:
    silent = [instance(number, launched=NOW - 1000) for number in range(3)]
    hanging = instance(3, "stopping")
    slots = (*map(slot_of, silent), slot_of(hanging, stopping_since=NOW - 700))

    plan = decide(snapshot(*silent, hanging, slots=slots, heartbeats={}), POLICY)

    assert plan.stop == (Stop(instance="i-3", force=True), Stop(instance="i-0"))
    assert plan.reason.endswith(
        "stop 1 without a sign of life, cut the power of 1 that hang in their shutdown"
    )


ages = st.floats(0, 2000)


@given(state=st.sampled_from(InstanceState), launched=ages, beaten=st.none() | ages, stopping=ages)
def test_an_instance_with_a_fresh_heartbeat_is_never_stopped(
    state: InstanceState, launched: float, beaten: float | None, stopping: float
) -> None:
    one = instance(0, state.value, launched=NOW - launched)
    slots = (replace(slot_of(one), stopping_since=NOW - stopping),)
    heartbeats = {} if beaten is None else {one.arn: beat(one, age=beaten)}

    (*stops,) = decide(snapshot(one, slots=slots, heartbeats=heartbeats), Policy()).stop

    on = state in (InstanceState.PENDING, InstanceState.RUNNING)
    if on and ((beaten is not None and beaten <= 180) or launched <= 180):
        assert stops == []
    if state in (InstanceState.STOPPED, InstanceState.TERMINATED, InstanceState.SHUTTING_DOWN):
        assert stops == []
    if on and launched > 180 and beaten is None:
        assert stops == [Stop(instance="i-0")]


@pytest.mark.parametrize(
    ("causes", "terminated"),
    [
        ([Cause.NO] * 3, True),
        ([Cause.UNKNOWN, Cause.UNKNOWN, Cause.NO], False),
        ([Cause.NO, Cause.UNKNOWN, Cause.NO, Cause.NO], True),
    ],
)
def test_a_silent_running_machine_is_terminated_after_three_clear_refusals(
    causes: list[Cause], *, terminated: bool
) -> None:
    silent = instance(0, launched=NOW - 1000)
    row = noted((), [refusal("stop", silent.id, cause, at=NOW - 900) for cause in causes])

    plan = decide(snapshot(silent, heartbeats={}, refusals=row), POLICY)

    assert [stop.terminate for stop in plan.stop] == [terminated]
