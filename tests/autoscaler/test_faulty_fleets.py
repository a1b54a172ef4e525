"""The real daemon with machines, offers and actions that fail for good: the others go on.

Each test is a fleet in which one thing is refused time and again, in virtual time.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from autoscaler.decide.model import Policy
from gridwell.engine.errors import (
    NoCapacity,
    ServiceBusy,
    ServiceDenied,
    ServiceError,
    Throttled,
)
from gridwell.fleet.model import ON, InstanceState, Offering
from gridwell.fleet.refusal import ALL
from tests.harness.fleet import World

if TYPE_CHECKING:
    from autoscaler.daemon import Daemon

A, B = Offering(subnet="subnet-a"), Offering(subnet="subnet-b")


def a_world(cap: int = 4, **changes: Any) -> World:
    fields: dict[str, Any] = {"offers": (A, B), **changes}
    policy = Policy(max_instances=cap, chunks_per_instance=1, **fields)
    return World(rng=random.Random(1), policy=policy, longest_boot=60.0, longest_stop=30.0)


def live(world: World, daemon: Daemon, *, minutes: float) -> None:
    """Tick every ten seconds, while the cap holds."""
    for _ in range(int(minutes * 6)):
        daemon.tick()
        world.step(10.0)


def until_done(world: World, daemon: Daemon, *, within: float) -> float:
    """The minutes until no chunk is left."""
    for tick in range(int(within * 6)):
        depth = world.queue.depth()
        if depth.visible + depth.in_flight == 0:
            return tick / 6
        daemon.tick()
        world.step(10.0)
    raise AssertionError(f"{world.queue.depth()} after {within} min: {world.look()}")


def grown(world: World, *, machines: int) -> Daemon:
    """A daemon whose fleet has grown to so many machines, worked, and gone home."""
    daemon = world.daemon()
    world.send(machines)
    live(world, daemon, minutes=8)
    assert world.count(InstanceState.STOPPED) == machines
    return daemon


def stopped(world: World) -> list[str]:
    return [one.id for one in world.look() if one.state is InstanceState.STOPPED]


# --- F1: machines that stand and will not become capacity


def test_a_fleet_stopped_in_a_full_zone_is_renewed_by_another_offer() -> None:
    world = a_world()
    daemon = grown(world, machines=4)
    world.ec2.full = {one.offer for one in world.look()} | {A}
    world.send(16)

    until_done(world, daemon, within=30)

    assert world.most <= 4


def test_one_machine_in_a_full_zone_keeps_a_fleet_of_one_no_longer_than_some_minutes() -> None:
    world = a_world(cap=1)
    daemon = grown(world, machines=1)
    world.ec2.full = {one.offer for one in world.look()} | {A}
    world.send(1)

    assert until_done(world, daemon, within=30) < 10


def test_a_full_zone_that_is_the_only_offer_costs_one_stopped_machine_at_most() -> None:
    world = a_world(offers=(Offering(),))
    daemon = grown(world, machines=4)
    world.ec2.full = {one.offer for one in world.look()} | {Offering()}
    world.send(16)
    live(world, daemon, minutes=60)
    assert world.count(InstanceState.STOPPED) >= 3

    world.ec2.full = set()

    assert until_done(world, daemon, within=10) < 10


def test_a_start_that_is_refused_for_want_of_room_alone_is_replaced_by_a_launch() -> None:
    world = a_world(cap=1, offers=(Offering(),))
    daemon = grown(world, machines=1)
    world.ec2.refusals["start", ALL] = NoCapacity("InsufficientInstanceCapacity")
    world.send(1)

    until_done(world, daemon, within=30)


@pytest.mark.parametrize("cap", [1, 4])
@pytest.mark.parametrize(
    "error",
    [
        ServiceDenied("the root volume is gone", code="IncorrectInstanceState"),
        ServiceDenied("the key is disabled", code="KMSInvalidStateException"),
        ServiceBusy("an internal error", code="InternalError"),
    ],
)
def test_machines_that_never_start_again_give_up_their_places(
    cap: int, error: ServiceError
) -> None:
    world = a_world(cap=cap, offers=(Offering(),))
    daemon = grown(world, machines=cap)
    for name in stopped(world):
        world.ec2.refusals["start", name] = error
    world.calls.clear()
    world.send(2 * cap)

    until_done(world, daemon, within=30)

    assert world.calls["start"] <= 12 * cap
    assert world.most <= cap


def test_a_protected_fleet_serves_work_after_an_idle_day() -> None:
    world = a_world(cap=2, stopped_max_age_seconds=600.0)
    daemon = grown(world, machines=2)
    for name in stopped(world):
        world.ec2.protect(name)
    live(world, daemon, minutes=60)
    refused = world.calls["terminate"]
    world.send(8)

    until_done(world, daemon, within=10)

    assert refused <= 2 * 15  # an hour of back-off
    assert world.most == 2


def test_machines_that_neither_start_nor_end_are_left_out_of_the_cap() -> None:
    world = a_world(cap=2, offers=(Offering(),))
    daemon = grown(world, machines=2)
    dead = stopped(world)
    for name in dead:
        world.ec2.protect(name)
        world.ec2.refusals["start", name] = ServiceDenied("the root volume is gone")
    world.send(8)

    until_done(world, daemon, within=40)

    assert world.most <= 4  # two that compute, and two that are off for good
    view = world.ledger.view()
    assert view is not None
    assert {one.target for one in view.refusals} >= set(dead)


@pytest.mark.parametrize(
    ("answers", "left_out"),
    [
        (["no", "no"], True),
        (["none", "no"], False),
        (["none", "none", "no"], False),
        (["no", "none", "no"], True),
    ],
)
def test_only_clear_refusals_leave_a_machine_out_of_the_cap(
    answers: list[str], *, left_out: bool
) -> None:
    world = a_world(cap=1)
    daemon = grown(world, machines=1)
    (name,) = stopped(world)
    world.ec2.current_release = "release-2"  # so it is to be terminated
    world.send(1)
    errors = {
        "no": ServiceDenied("protected", code="OperationNotPermitted"),
        "none": ServiceBusy("an internal error", code="InternalError"),
    }
    for answer in answers:
        world.ec2.refusals["terminate", name] = errors[answer]
        before = world.calls["terminate"]
        while world.calls["terminate"] == before:
            daemon.tick()
            world.step(10.0)
    world.ec2.refusals["terminate", name] = errors["none"]

    daemon.tick()

    assert len(world.look()) == (2 if left_out else 1)


def test_a_protected_fleet_of_an_old_release_is_left_out_of_the_cap() -> None:
    world = a_world(cap=2)
    daemon = grown(world, machines=2)
    for name in stopped(world):
        world.ec2.protect(name)
    world.ec2.current_release = "release-2"
    world.send(8)

    until_done(world, daemon, within=20)


@pytest.mark.parametrize("cap", [1, 3])
def test_a_machine_without_its_slot_tag_is_started_by_the_ledgers_record(cap: int) -> None:
    world = a_world(cap=cap)
    daemon = grown(world, machines=cap)
    for name in stopped(world):
        world.ec2.untag(name)
    before = world.launches
    world.send(2 * cap)

    assert until_done(world, daemon, within=20) < 10

    assert world.launches == before


def test_a_machine_that_nothing_places_is_adopted() -> None:
    world = a_world(cap=1)
    grown(world, machines=1)
    world.ec2.untag(stopped(world)[0])
    world.ec2._machines[stopped(world)[0]].token = None
    world.ledger._slots.clear()
    world.send(2)

    until_done(world, world.daemon(), within=20)

    assert world.launches == 1


def test_a_machine_without_a_slot_that_hangs_in_its_shutdown_is_forced() -> None:
    world = a_world(cap=1)
    daemon = world.daemon()
    world.send(1)
    live(world, daemon, minutes=1.5)
    world.ec2.untag(world.look()[0].id)
    world.faults.stuck = 1.0
    live(world, daemon, minutes=20)

    assert world.forced == 1


def test_a_machine_that_is_pending_for_ever_is_terminated() -> None:
    world = a_world(cap=1)
    daemon = world.daemon()
    world.send(8)
    daemon.tick()
    world.ec2.stuck_pending = {world.look()[0].id}
    world.calls.clear()

    until_done(world, daemon, within=20)

    assert world.calls["stop"] <= 3


def test_a_machine_that_hangs_in_its_shutdown_whatever_is_done_is_terminated() -> None:
    world = a_world(cap=1)
    daemon = world.daemon()
    world.send(1)
    live(world, daemon, minutes=1.5)
    world.faults.stuck = 1.0
    (one,) = world.look()
    world.ec2.refusals["stop", one.id] = ServiceDenied("it may not be stopped")
    live(world, daemon, minutes=10)
    world.send(1)

    until_done(world, daemon, within=30)


def test_a_machine_that_shuts_down_for_ever_is_left_out_of_the_cap() -> None:
    world = a_world(cap=1)
    daemon = grown(world, machines=1)
    world.ec2.stop_seconds = 1e9
    world.ec2.terminate(stopped(world)[0])
    world.send(1)

    until_done(world, daemon, within=30)


# --- F2: quotas go to those that can still succeed


def test_protected_machines_of_an_old_release_keep_no_other_from_being_replaced() -> None:
    world = a_world(cap=4)
    daemon = grown(world, machines=4)
    for name in stopped(world)[:2]:
        world.ec2.protect(name)
    world.ec2.current_release = "release-2"
    world.calls.clear()
    world.send(16)

    until_done(world, daemon, within=20)

    assert world.calls["terminate"] < 30


def test_machines_that_may_not_be_stopped_keep_no_other_from_being_stopped() -> None:
    world = a_world(cap=4)
    daemon = world.daemon()
    world.send(4)
    live(world, daemon, minutes=1.5)
    world.mute = frozenset({"subnet-a"})
    world.workers.clear()
    for one in world.look()[:2]:
        world.ec2.refusals["stop", one.id] = ServiceDenied("it may not be stopped")
        world.ec2.protect(one.id)
    world.calls.clear()
    live(world, daemon, minutes=60)

    on = world.count(*ON)
    assert on == 2
    assert world.calls["stop"] < 40


# --- F3: offers


@pytest.mark.parametrize(
    "error",
    [
        ServiceDenied("no such subnet", code="InvalidSubnetID.NotFound"),
        ServiceDenied("not allowed", code="UnauthorizedOperation"),
        ServiceDenied("no such type", code="InvalidParameterValue"),
        NoCapacity("reserved", code="ReservationCapacityExceeded"),
        ServiceBusy("an internal error", code="InternalError"),
    ],
)
def test_an_offer_that_is_refused_for_any_reason_leaves_the_others(error: ServiceError) -> None:
    world = a_world()
    world.ec2.refusals["launch", A.name] = error
    world.send(16)

    until_done(world, world.daemon(), within=15)

    assert {one.subnet for one in world.look()} == {"subnet-b"}
    assert world.calls["launch"] < 30


def test_what_every_offer_is_refused_for_is_asked_at_a_bounded_rate() -> None:
    world = a_world(cap=19)
    world.ec2.refusals["launch", ALL] = ServiceDenied("not allowed", code="UnauthorizedOperation")
    world.send(100)
    daemon = world.daemon()
    live(world, daemon, minutes=60)

    assert world.calls["launch"] <= 140  # each offer once a minute
    world.ec2.refusals.clear()
    assert until_done(world, daemon, within=20) < 20


@pytest.mark.parametrize("cap", [1, 4])
def test_a_subnet_in_which_no_boot_speaks_leaves_the_others(cap: int) -> None:
    world = a_world(cap=cap)
    world.mute = frozenset({"subnet-a"})
    world.send(4 * cap)

    until_done(world, world.daemon(), within=40)

    assert world.most <= cap


def test_two_mute_subnets_of_three_leave_the_third() -> None:
    world = a_world(offers=(A, B, Offering(subnet="subnet-c")))
    world.mute = frozenset({"subnet-a", "subnet-b"})
    world.send(16)

    until_done(world, world.daemon(), within=60)


def test_a_release_that_speaks_by_no_offer_is_tried_ever_less() -> None:
    world = a_world(cap=8)
    world.broken = frozenset({"release-1"})
    world.send(40)
    daemon = world.daemon()
    live(world, daemon, minutes=60)
    launches = world.calls["launch"] + world.calls["start"]
    live(world, daemon, minutes=60)

    assert world.calls["launch"] + world.calls["start"] - launches <= 10
    view = world.ledger.view()
    assert view is not None
    assert "a new release ends this" in view.held


# --- F8: each action is throttled apart


def test_throttled_starts_stop_no_launches() -> None:
    world = a_world(cap=4)
    daemon = grown(world, machines=1)
    world.ec2.refusals["start", ALL] = Throttled("RequestLimitExceeded")
    world.send(12)

    until_done(world, daemon, within=15)


def test_starts_throttled_for_minutes_give_up_places_for_launches() -> None:
    world = a_world(cap=2)
    daemon = grown(world, machines=2)
    world.ec2.refusals["start", ALL] = Throttled("RequestLimitExceeded")
    world.send(8)

    until_done(world, daemon, within=30)


def test_throttled_launches_stop_no_termination() -> None:
    world = a_world(cap=2)
    daemon = grown(world, machines=1)
    world.ec2.refusals["launch", ALL] = Throttled("RequestLimitExceeded")
    world.ec2.current_release = "release-2"
    world.send(8)

    live(world, daemon, minutes=5)

    assert stopped(world) == []


# --- the memory


def test_what_is_remembered_survives_restarts() -> None:
    world = a_world(cap=2)
    daemon = grown(world, machines=2)
    daemon.end()
    for name in stopped(world):
        world.ec2.protect(name)
    world.ec2.current_release = "release-2"
    world.calls.clear()

    for _ in range(30):
        daemon = world.daemon()
        live(world, daemon, minutes=2)
        daemon.end()

    assert 4 <= world.calls["terminate"] <= 40


# --- what is told


def held(world: World) -> str:
    view = world.ledger.view()
    assert view is not None
    return view.held


def test_held_names_the_code_the_offer_and_the_remedy_of_a_refused_launch() -> None:
    world = a_world(offers=(A,))
    world.ec2.refusals["launch", ALL] = ServiceDenied(
        "no", code="InvalidSubnetID.NotFound", message="subnet-a does not exist"
    )
    world.send(4)
    live(world, world.daemon(), minutes=3)

    assert held(world).startswith(
        "EC2 refuses to launch the launch template in subnet-a: InvalidSubnetID.NotFound: "
        "subnet-a does not exist (correct GRIDWELL_SUBNETS); it is asked again in about "
    )


def test_held_names_the_code_of_a_start_that_is_tried_again_and_again() -> None:
    world = a_world(cap=1, offers=(Offering(),))
    daemon = grown(world, machines=1)
    full = NoCapacity("none", code="InsufficientInstanceCapacity", message="try another zone")
    world.ec2.refusals["start", ALL] = world.ec2.refusals["launch", ALL] = full
    world.send(1)
    live(world, daemon, minutes=3)

    assert "InsufficientInstanceCapacity: try another zone" in held(world)
    assert "GRIDWELL_SUBNETS" in held(world)


def test_held_names_a_machine_that_may_be_neither_stopped_nor_terminated() -> None:
    world = a_world(cap=1)
    world.mute = frozenset({"subnet-a", "subnet-b"})
    daemon = world.daemon()
    world.send(1)
    daemon.tick()
    (one,) = world.look()
    world.ec2.protect(one.id)
    world.ec2.refusals["stop", one.id] = ServiceDenied("no", code="OperationNotPermitted")
    live(world, daemon, minutes=20)

    assert f"terminate {one.id}: OperationNotPermitted" in held(world)
    assert "remove the instance's protection" in held(world)


def test_ec2s_reason_for_a_machine_that_came_and_went_is_told() -> None:
    world = a_world(cap=1, offers=(Offering(),))
    daemon = world.daemon()
    world.send(1)
    for _ in range(60):
        daemon.tick()
        for machine in world.ec2._machines.values():
            if machine.state is InstanceState.PENDING:
                machine.state, machine.until = InstanceState.TERMINATED, float("inf")
                machine.reason = "Client.VolumeLimitExceeded"
        world.step(10.0)

    assert "Client.VolumeLimitExceeded" in held(world)
    assert "quota of volumes" in held(world)
    assert "a new release ends this" not in held(world)
