"""The real daemon against a region in virtual time: what holds whatever goes wrong."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.decide import decide
from autoscaler.decide.model import Policy, Rule
from autoscaler.observe import ObservedPorts, observe
from gridwell.fleet.model import Control, InstanceState
from tests.harness.fleet import Faults, Killed, World

_BILLED = (InstanceState.PENDING, InstanceState.RUNNING)

faults = st.builds(
    Faults,
    killed=st.sampled_from([0.0, 0.02, 0.1]),
    lost_call=st.sampled_from([0.0, 0.1, 0.3]),
    lost_reply=st.sampled_from([0.0, 0.1, 0.3]),
    no_capacity=st.sampled_from([0.0, 0.2, 0.7]),
    lag_seconds=st.sampled_from([0.0, 15.0, 59.0]),
    hung=st.sampled_from([0.0, 0.2]),
    stuck=st.sampled_from([0.0, 0.1]),
    falls_back=st.sampled_from([0.0, 0.3]),
    stall=st.sampled_from([0.0, 0.01, 0.05]),
)
policies = st.builds(
    Policy,
    rule=st.sampled_from(Rule),
    max_instances=st.integers(1, 6),
    chunks_per_instance=st.integers(1, 4),
    boot_grace_seconds=st.sampled_from([180.0, 300.0]),
    stopped_max_age_seconds=st.sampled_from([120.0, 86_400.0]),
)


def live_through(world: World, *, ticks: int, daemons: int = 1) -> None:
    """Bursts of work, a new release and the operator's hand, with daemons that get killed."""
    running = [world.daemon() for _ in range(daemons)]

    def other() -> None:
        with suppress(Killed):
            world.rng.choice(running).tick()

    if daemons > 1:
        world.busy = other
    for _ in range(ticks):
        if world.rng.random() < 0.15:
            world.send(world.rng.randint(1, 40))
        if world.rng.random() < 0.03:
            world.ec2.current_release = f"release-{world.rng.randint(1, 3)}"
        if world.rng.random() < 0.05:
            world.ledger.write_control(Control(paused=world.rng.random() < 0.5))
        turn = world.rng.randrange(daemons)
        try:
            running[turn].tick()
        except Killed:
            running[turn] = world.daemon()
        world.step(world.rng.choice([1.0, 10.0, 10.0, 45.0]))


def settle(world: World, *, ticks: int) -> int:
    """No more faults and no more work: ticks until the fleet has gone home."""
    world.faults = Faults()
    world.ledger.write_control(Control())
    daemon = world.daemon()
    for tick in range(ticks):
        if world.home:
            return tick
        daemon.tick()
        world.step(10.0)
    raise AssertionError(f"work or instances are left: {world.queue.depth()}, {world.look()}")


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32), policy=policies, faults=faults, daemons=st.integers(1, 2))
def test_the_cap_holds_and_all_work_is_done_whatever_goes_wrong(
    seed: int, policy: Policy, faults: Faults, daemons: int
) -> None:
    world = World(rng=random.Random(seed), policy=policy, faults=faults)

    live_through(world, ticks=60, daemons=daemons)
    settle(world, ticks=400)

    assert world.most <= policy.max_instances
    assert world.most_in_a_slot <= 1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), policy=policies)
def test_plans_carried_out_come_to_rest(seed: int, policy: Policy) -> None:
    world = World(rng=random.Random(seed), policy=policy)
    live_through(world, ticks=20)
    settle(world, ticks=400)
    ports = ObservedPorts(ec2=world.ec2, chunks=world.queue, ledger=world.ledger, clock=world.clock)
    daemon = world.daemon()

    for _ in range(40):
        daemon.tick()
        world.clock.advance(30.0)

    observed = observe(ports, world.ledger.view(), policy)
    assert decide(observed.snapshot, policy).is_empty


@pytest.mark.parametrize("policy", [Policy(), Policy.classic()], ids=["default", "classic"])
def test_five_bursts_of_190_jobs_never_make_more_than_19_instances(policy: Policy) -> None:
    world = World(rng=random.Random(1), policy=policy, longest_boot=60.0)
    daemon = world.daemon()

    for second in range(1500):
        if second % 120 == 0 and second < 600:
            world.send(38)
        if second % 10 == 0:
            daemon.tick()
        world.step(1.0)

    assert world.most <= 19
    assert world.launches <= 19
    settle(world, ticks=100)


def test_lost_replies_of_launches_cost_no_second_instance() -> None:
    world = World(rng=random.Random(2), policy=Policy(), faults=Faults(lag_seconds=59.0))
    world.send(8)
    daemon = world.daemon()

    world.faults.lost_reply = 0.2
    for _ in range(30):
        daemon.tick()
        world.clock.advance(5.0)

    assert world.count(*_BILLED) == 2


def test_the_loop_of_a_daemon_killed_at_every_tick_still_serves() -> None:
    world = World(rng=random.Random(3), policy=Policy(max_instances=3))
    world.send(30)

    for _ in range(60):
        world.daemon().tick()
        world.step(10.0)

    assert world.home
    assert world.most == 3


def test_a_release_that_never_speaks_costs_ever_less_and_a_new_one_ends_it() -> None:
    world = World(rng=random.Random(4), policy=Policy(), broken=frozenset({"release-1"}))
    world.send(40)
    daemon = world.daemon()
    billed = []
    for _ in range(6):
        on = 0
        for _ in range(120):
            daemon.tick()
            world.step(10.0)
            on += world.count(*_BILLED)
        billed.append(on * 10.0 / 1200.0)
    view = world.ledger.view()

    assert billed[-1] < 0.5 < billed[0]  # machines, on average over twenty minutes
    assert view is not None
    assert "boots of this release in a row came to no heartbeat" in view.held
    world.ec2.current_release = "release-2"
    settle(world, ticks=100)


def test_a_machine_that_hangs_in_its_shutdown_is_cut_off_and_its_place_used_again() -> None:
    world = World(rng=random.Random(5), policy=Policy(max_instances=1))
    world.send(1)
    world.faults.stuck = 1.0
    daemon = world.daemon()
    for _ in range(60):
        daemon.tick()
        world.step(10.0)
    assert world.count(InstanceState.STOPPING) == 1

    world.send(1)
    settle(world, ticks=120)

    assert world.forced == 1


def test_of_two_autoscalers_one_acts_and_the_other_takes_over_within_a_lease() -> None:
    world = World(rng=random.Random(6), policy=Policy(max_instances=4))
    first, second = world.daemon(), world.daemon()
    world.send(4)
    for _ in range(6):
        first.tick()
        plan = second.tick()
        world.step(10.0)
    assert plan is not None
    assert plan.reason == "standing by: daemon 1 holds the lease"
    assert world.launches == 1

    world.send(40)
    waited = 0
    while (lease := world.ledger.lease()) is not None and lease.owner == "daemon 1":
        second.tick()
        world.step(10.0)
        waited += 10

    assert waited <= 40
    assert world.count(*_BILLED) == 4


def test_a_lease_that_is_given_back_is_taken_at_once() -> None:
    world = World(rng=random.Random(7), policy=Policy())
    first, second = world.daemon(), world.daemon()
    first.tick()
    first.end()
    world.send(1)

    second.tick()

    assert world.count(InstanceState.PENDING) == 1


def test_an_autoscaler_that_slept_through_its_lease_does_nothing_more() -> None:
    world = World(rng=random.Random(8), policy=Policy(max_instances=4))
    first, second = world.daemon(), world.daemon()
    first.tick()
    world.send(16)
    slept: list[str] = []

    def sleep(name: str) -> None:
        if name == "launch" and not slept:
            slept.append(name)
            for _ in range(2):  # it sees the lease, and that it does not change
                second.tick()
                world.step(30.0)
            second.tick()

    world.before = sleep
    first.tick()

    (lease, view) = world.ledger.lease(), world.ledger.view()
    assert lease is not None
    assert lease.owner == "daemon 2"
    assert view is not None
    assert view.owner == "daemon 2"
    assert world.count(*_BILLED) == 4
    assert world.most_in_a_slot == 1
