from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.decide.decide import decide
from autoscaler.decide.failures import noted, refusal
from autoscaler.decide.model import Policy, Read
from gridwell.fleet.model import Control, Offering, Slot
from tests.autoscaler.decide.snapshots import (
    LONG_AGO,
    NOW,
    POLICY,
    RELEASE,
    beat,
    instance,
    slot_of,
    snapshot,
    token,
)


@pytest.mark.parametrize(
    ("visible", "in_flight", "want"),
    [(0, 0, 0), (1, 0, 1), (4, 0, 1), (5, 0, 2), (3, 2, 2), (0, 9, 3), (1000, 0, 4)],
)
def test_the_backlog_in_shares_is_wanted_up_to_the_cap(
    visible: int, in_flight: int, want: int
) -> None:
    plan = decide(snapshot(visible=visible, in_flight=in_flight), POLICY)

    assert plan.want == want
    assert plan.launch == tuple(range(want))


def test_stopped_instances_are_started_before_new_ones_are_launched() -> None:
    plan = decide(snapshot(instance(2, "stopped"), visible=12), POLICY)

    assert [chosen.instance for chosen in plan.start] == ["i-2"]
    assert plan.launch == (0, 1)


def test_the_reason_tells_the_arithmetic() -> None:
    booting = instance(1, "pending", launched=NOW - 10)
    seen = snapshot(instance(0), booting, instance(2, "stopped"), visible=12, in_flight=3)

    plan = decide(seen, POLICY)

    assert plan.reason == (
        "12 chunks waiting + 3 in flight = 15, want 4 of cap 4; "
        "1 running + 1 booting + 1 stopped; start 1 stopped, launch 1"
    )


def test_an_instance_still_booting_is_not_launched_again() -> None:
    booting = instance(0, "pending", launched=NOW - 20)

    assert decide(snapshot(booting, visible=1), POLICY).is_empty


def test_an_instance_that_boots_for_ever_stops_counting_after_its_grace() -> None:
    booting = instance(0, "pending", launched=NOW - 181)

    assert decide(snapshot(booting, visible=1), POLICY).launch == (1,)


def test_a_running_instance_without_a_sign_of_life_is_not_capacity() -> None:
    seen = snapshot(instance(0), visible=1, heartbeats={})

    assert decide(seen, POLICY).launch == (1,)


def test_a_draining_instance_is_not_capacity_even_in_its_boot_grace() -> None:
    young = instance(0, launched=NOW - 30)
    heartbeats = {young.arn: beat(young, draining=True)}

    assert decide(snapshot(young, visible=1, heartbeats=heartbeats), POLICY).launch == (1,)


def test_a_restarted_instance_is_not_judged_by_its_earlier_life() -> None:
    again = instance(0, launched=LONG_AGO)
    slots = (slot_of(again, started_at=NOW - 20),)
    earlier = {again.arn: beat(again, age=300, draining=True)}

    assert decide(snapshot(again, visible=1, slots=slots, heartbeats=earlier), POLICY).is_empty


@pytest.mark.parametrize("state", ["stopping", "shutting-down"])
def test_an_instance_on_its_way_out_is_no_capacity_and_keeps_its_place(state: str) -> None:
    leaving = instance(0, state)

    assert decide(snapshot(leaving, visible=1), POLICY).launch == (1,)
    full = tuple(instance(number, state) for number in range(4))
    plan = decide(snapshot(*full, visible=100), POLICY)
    assert plan.is_empty
    assert plan.short == 4
    assert "4 short" in plan.reason


def test_a_terminated_instance_leaves_its_place() -> None:
    assert decide(snapshot(instance(0, "terminated"), visible=1), POLICY).launch == (0,)


def test_a_launch_whose_instance_is_not_shown_yet_counts_as_booting() -> None:
    named = Slot(number=0, epoch=1, token=token(0), instance="i-0", started_at=NOW - 20)

    assert decide(snapshot(visible=1, slots=(named,)), POLICY).is_empty


def test_an_unanswered_launch_is_asked_again_before_any_other() -> None:
    lost = Slot(number=2, epoch=1, token=token(2), started_at=NOW - 20)

    plan = decide(snapshot(visible=5, slots=(lost,)), POLICY)

    assert plan.launch == (2, 0)


def test_an_unanswered_launch_keeps_its_place_until_five_minutes_have_passed() -> None:
    policy = Policy(max_instances=1)

    def launches(age: float) -> tuple[int, ...]:
        lost = Slot(number=0, epoch=1, token=token(0), started_at=NOW - age)
        return decide(snapshot(visible=1, slots=(lost,)), policy).launch

    assert launches(80) == (0,)  # the same token again
    assert launches(100) == ()  # an instance of it might be shown after its intent's end
    assert launches(301) == (0,)


def test_unanswered_launches_count_against_the_cap() -> None:
    lost = tuple(
        Slot(number=number, epoch=1, token=token(number), started_at=NOW - 20, not_before=NOW + 9)
        for number in range(3)
    )

    assert decide(snapshot(visible=100, slots=lost), POLICY).launch == (3,)


def test_two_instances_never_share_a_slot() -> None:
    untagged = replace(instance(1), slot=None)
    slots = (Slot(number=1, epoch=1, token=token(9), instance=untagged.id, started_at=LONG_AGO),)

    plan = decide(snapshot(instance(0), untagged, visible=100, slots=slots), POLICY)

    assert plan.launch == (2, 3)


def test_a_stopped_instance_of_another_release_is_terminated_and_never_started() -> None:
    stale = instance(0, "stopped", release="release-0")

    plan = decide(snapshot(stale, visible=1), POLICY)

    assert plan.start == ()
    assert plan.terminate == ("i-0",)
    assert plan.launch == (1,)


def test_a_tick_terminates_no_more_than_its_share() -> None:
    stale = [instance(number, "stopped", release="release-0") for number in range(4)]

    assert len(decide(snapshot(*stale), POLICY).terminate) == 2


@pytest.mark.parametrize(
    ("hours", "visible", "gone"), [(25, 0, True), (23, 0, False), (25, 1, False)]
)
def test_a_stopped_instance_is_given_up_after_a_day_without_work(
    hours: float, visible: int, *, gone: bool
) -> None:
    old = instance(0, "stopped", launched=NOW - 90_000)
    slots = (slot_of(old, stopped_since=NOW - hours * 3600),)
    seen = snapshot(old, instance(1), visible=visible, slots=slots)

    assert decide(seen, POLICY).terminate == (("i-0",) if gone else ())


def test_an_instance_started_a_moment_ago_is_not_terminated() -> None:
    old = instance(0, "stopped", release="release-0", launched=NOW - 10)

    assert decide(snapshot(old), POLICY).is_empty


def test_a_candidate_in_its_pause_lets_the_next_one_go_first() -> None:
    first, second = instance(0, "stopped"), instance(1, "stopped")
    slots = (slot_of(first, failures=1, not_before=NOW + 5), slot_of(second))

    plan = decide(snapshot(first, second, visible=1, slots=slots), POLICY)

    assert [chosen.instance for chosen in plan.start] == ["i-1"]


def test_the_least_recently_failed_candidate_goes_first_and_the_others_are_spare() -> None:
    first, second = instance(0, "stopped"), instance(1, "stopped")
    slots = (slot_of(first, failures=1, not_before=NOW - 5), slot_of(second))

    plan = decide(snapshot(first, second, visible=1, slots=slots), POLICY)

    assert [chosen.instance for chosen in plan.start] == ["i-1"]
    assert [chosen.instance for chosen in plan.spare] == ["i-0"]


def test_nothing_grows_while_the_operator_pauses_the_fleet() -> None:
    seen = snapshot(instance(0, "stopped"), visible=9, control=Control(paused=True))

    plan = decide(seen, POLICY)

    assert plan.is_empty
    assert "3 short: paused by the operator" in plan.reason


def test_the_operators_cap_lowers_the_policys_and_never_raises_it() -> None:
    assert len(decide(snapshot(visible=99, control=Control(cap=2)), POLICY).launch) == 2
    assert len(decide(snapshot(visible=99, control=Control(cap=50)), POLICY).launch) == 4
    assert decide(snapshot(visible=99, control=Control(cap=0)), POLICY).is_empty


def test_a_lowered_cap_also_holds_for_starts() -> None:
    seen = snapshot(
        instance(0, "stopping"),
        instance(1),
        instance(2, "stopped"),
        instance(3, "stopped"),
        visible=99,
        control=Control(cap=3),
    )

    assert len(decide(seen, POLICY).start) == 1


def test_without_an_image_nothing_grows() -> None:
    plan = decide(snapshot(instance(0, "stopped"), visible=1, release=None), POLICY)

    assert plan.is_empty
    assert "there is no image to launch" in plan.reason


@pytest.mark.parametrize("read", [read for read in Read if read is not Read.HEARTBEATS])
def test_without_knowing_the_world_everything_stays_as_it_is(read: Read) -> None:
    stale = instance(0, "stopped", release="release-0")

    plan = decide(snapshot(stale, visible=9, unknown=frozenset({read})), POLICY)

    assert plan.is_empty
    assert plan.reason == f"could not read {read}: everything stays as it is"


def test_unknown_heartbeats_neither_terminate_nor_look_like_a_dead_fleet() -> None:
    stale = instance(1, "stopped", release="release-0")
    unknown = frozenset({Read.HEARTBEATS})

    plan = decide(snapshot(instance(0), stale, visible=1, heartbeats={}, unknown=unknown), POLICY)

    assert plan.is_empty


def test_the_last_chunk_in_flight_of_a_dead_fleet_is_awaited() -> None:
    assert decide(snapshot(in_flight=1), POLICY).launch == (0,)


def test_launches_of_unknown_fate_count_against_a_lowered_cap() -> None:
    lost = Slot(number=3, epoch=1, token=token(3), started_at=NOW - 200, not_before=NOW + 9)
    named = replace(lost, instance="i-3")

    for slot in (lost, named):
        seen = snapshot(visible=100, slots=(slot,), control=Control(cap=2))
        assert decide(seen, POLICY).launch == (0,)


@pytest.mark.parametrize(
    ("offers", "given_up"),
    [
        ((Offering(subnet="subnet-a"), Offering(subnet="subnet-b")), True),
        ((Offering(type="c7i.large"), Offering(type="c7a.large")), True),
        ((Offering(),), False),  # it may be the machine's own
    ],
)
def test_a_machine_whose_offer_is_mute_goes_only_for_one_that_surely_differs(
    offers: tuple[Offering, ...], *, given_up: bool
) -> None:
    stopped = instance(0, "stopped", type="c7i.large", subnet="subnet-a")
    mute = [
        replace(refusal("boot", stopped.offer.name, "no heartbeat", at=NOW - 60), release=RELEASE)
        for _ in range(2)
    ]

    plan = decide(
        snapshot(stopped, visible=4, refusals=noted((), mute)),
        replace(POLICY, max_instances=1, offers=offers),
    )

    assert plan.terminate == ((stopped.id,) if given_up else ())
