from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Protocol

import pytest

from gridwell.adapters.aws.ec2 import Ec2Fleet
from gridwell.adapters.memory import ManualClock, MemoryEc2
from gridwell.engine.errors import NoCapacity, ServiceDenied, WrongState
from gridwell.fleet.model import InstanceState, Offering
from tests.adapters.conftest import FLEET, MAX_RUNNING, RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.fleet.model import Instance
    from gridwell.fleet.ports import Ec2
    from tests.adapters.conftest import Aws


class Machines(Protocol):
    """EC2 through the port, and what the world does to its instances."""

    ec2: Ec2
    without_image: Ec2
    subnet: str  #: one that a launch does not take by itself

    def settle(self, instance: str, state: str) -> None:
        """Let time pass until the instance is in this state."""

    def power_off(self, instance: str) -> None:
        """Make the instance stop."""


class InMemory:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.memory = MemoryEc2(self.clock, capacity=MAX_RUNNING, release=RELEASE)
        self.ec2: Ec2 = self.memory
        self.without_image: Ec2 = MemoryEc2(self.clock, release=None)
        self.subnet = "subnet-9"

    def settle(self, instance: str, state: str) -> None:
        self.clock.advance(30)
        assert named(self.ec2, instance).state == state

    def power_off(self, instance: str) -> None:
        self.memory.power_off(instance)


class OnAws:
    def __init__(self, aws: Aws) -> None:
        self.region = aws.region
        client = aws.clients["ec2"]
        self.ec2: Ec2 = Ec2Fleet(client, FLEET, aws.names["LaunchTemplate"])
        self.without_image: Ec2 = Ec2Fleet(client, FLEET, "nowhere-worker")
        self.subnet = max(each["SubnetId"] for each in client.describe_subnets()["Subnets"])

    def settle(self, instance: str, state: str) -> None:
        self.region.await_state(instance, state)

    def power_off(self, instance: str) -> None:
        self.region.ec2.stop_instances(InstanceIds=[instance])


@pytest.fixture
def machines(backend: str, request: pytest.FixtureRequest) -> Iterator[Machines]:
    if backend == "memory":
        yield InMemory()
        return
    on_aws = OnAws(request.getfixturevalue("aws"))
    yield on_aws
    left = [i.id for i in on_aws.ec2.instances() if i.state is not InstanceState.TERMINATED]
    for instance in left:
        on_aws.ec2.terminate(instance)
    for instance in left:
        on_aws.settle(instance, "terminated")


def token() -> str:
    return secrets.token_hex(16)


def named(ec2: Ec2, instance: str) -> Instance:
    return next(i for i in ec2.instances() if i.id == instance)


def test_a_launched_instance_carries_its_slot_token_and_release(machines: Machines) -> None:
    mine = token()

    name = machines.ec2.launch(7, mine)

    seen = named(machines.ec2, name)
    assert (seen.slot, seen.token, seen.release) == (7, mine, RELEASE)
    assert seen.state in (InstanceState.PENDING, InstanceState.RUNNING)
    assert seen.arn == f"arn:aws:ec2:us-east-1:123456789012:instance/{name}"
    assert seen.launched > 1_600_000_000
    assert machines.ec2.release() == RELEASE


def test_the_same_token_gives_the_same_instance(machines: Machines) -> None:
    mine = token()
    first = machines.ec2.launch(1, mine)

    assert machines.ec2.launch(1, mine) == first
    # Also where the rest of the request is not what it was.
    assert machines.ec2.launch(2, mine) == first
    assert sum(i.token == mine for i in machines.ec2.instances()) == 1
    assert machines.ec2.launch(2, token()) != first


def test_an_instance_stops_and_starts_and_ends(machines: Machines) -> None:
    ec2 = machines.ec2
    name = ec2.launch(0, token())
    ec2.start(name)  # pending already: nothing happens
    machines.settle(name, "running")
    ec2.start(name)
    assert named(ec2, name).state is InstanceState.RUNNING
    before = named(ec2, name).launched

    machines.power_off(name)
    machines.settle(name, "stopped")
    assert named(ec2, name).reason.startswith("Client.")
    ec2.start(name)
    assert named(ec2, name).state in (InstanceState.PENDING, InstanceState.RUNNING)
    assert named(ec2, name).launched >= before
    machines.settle(name, "running")
    ec2.terminate(name)
    ec2.terminate(name)
    machines.settle(name, "terminated")

    assert named(ec2, name).slot == 0


def test_an_instance_is_stopped_and_again_without_effect(machines: Machines) -> None:
    ec2 = machines.ec2
    name = ec2.launch(0, token())
    machines.settle(name, "running")

    ec2.stop(name)
    assert named(ec2, name).state in (InstanceState.STOPPING, InstanceState.STOPPED)
    assert named(ec2, name).reason == "Client.UserInitiatedShutdown"
    ec2.stop(name, force=True)
    machines.settle(name, "stopped")
    ec2.stop(name)
    ec2.stop(name, force=True)

    assert named(ec2, name).state is InstanceState.STOPPED


def test_an_instance_that_has_ended_cannot_be_stopped(machines: Machines) -> None:
    name = machines.ec2.launch(0, token())
    machines.ec2.terminate(name)
    machines.settle(name, "terminated")

    with pytest.raises(WrongState, match=name):
        machines.ec2.stop(name)


def test_some_instances_are_asked_for_and_strangers_are_absent(machines: Machines) -> None:
    first, second = (machines.ec2.launch(slot, token()) for slot in range(2))

    seen = machines.ec2.instances(only=[second, "i-0123456789abcdef0"])

    assert [one.id for one in seen] == [second]
    assert {first, second} <= {one.id for one in machines.ec2.instances()}


def test_a_launch_may_ask_for_another_type(machines: Machines) -> None:
    usual, other = (
        machines.ec2.launch(slot, token(), offer)
        for slot, offer in enumerate([Offering(), Offering(type="m7i.large")])
    )

    assert named(machines.ec2, other).type == "m7i.large"
    assert named(machines.ec2, other).offer.type == "m7i.large"
    assert named(machines.ec2, usual).type != "m7i.large"
    assert named(machines.ec2, usual).subnet


def test_a_launch_may_ask_for_a_subnet(machines: Machines) -> None:
    name = machines.ec2.launch(0, token(), Offering(subnet=machines.subnet))

    assert named(machines.ec2, name).subnet == machines.subnet


def test_an_instance_that_has_ended_cannot_start(machines: Machines) -> None:
    name = machines.ec2.launch(0, token())
    machines.ec2.terminate(name)
    machines.settle(name, "terminated")

    with pytest.raises(WrongState, match=name):
        machines.ec2.start(name)


def test_an_instance_that_never_was_is_in_no_state(machines: Machines) -> None:
    with pytest.raises(WrongState, match="i-0123456789abcdef0"):
        machines.ec2.start("i-0123456789abcdef0")
    with pytest.raises(WrongState, match="i-0123456789abcdef0"):
        machines.ec2.terminate("i-0123456789abcdef0")


def test_beyond_its_capacity_ec2_has_none_for_us(machines: Machines) -> None:
    names = [machines.ec2.launch(slot, token()) for slot in range(MAX_RUNNING)]
    with pytest.raises(NoCapacity):
        machines.ec2.launch(MAX_RUNNING, token())

    machines.settle(names[0], "running")
    machines.power_off(names[0])
    machines.settle(names[0], "stopped")
    machines.ec2.launch(MAX_RUNNING, token())
    with pytest.raises(NoCapacity):
        machines.ec2.start(names[0])


def test_without_an_image_there_is_no_release_and_no_launch(machines: Machines) -> None:
    assert machines.without_image.release() is None
    with pytest.raises(ServiceDenied):
        machines.without_image.launch(0, token())


# --- what EC2 alone shows


def test_only_instances_of_the_fleet_are_seen(aws: Aws) -> None:
    ours = Ec2Fleet(aws.clients["ec2"], FLEET, aws.names["LaunchTemplate"])
    others = Ec2Fleet(aws.clients["ec2"], "others", aws.names["LaunchTemplate"])
    stranger = others.launch(0, token())
    try:
        assert stranger not in {i.id for i in ours.instances()}
        assert [i.id for i in others.instances()] == [stranger]
    finally:
        ours.terminate(stranger)
        aws.region.await_state(stranger, "terminated")


@pytest.mark.parametrize("slot", ["7", "x1", "100", "-1", "\N{ARABIC-INDIC DIGIT ONE}1"])
def test_a_strange_slot_tag_is_no_slot(aws: Aws, slot: str) -> None:
    fleet = Ec2Fleet(aws.clients["ec2"], FLEET, aws.names["LaunchTemplate"])
    name = fleet.launch(3, token())
    aws.clients["ec2"].create_tags(Resources=[name], Tags=[{"Key": "gridwell:slot", "Value": slot}])
    try:
        assert named(fleet, name).slot is None
    finally:
        fleet.terminate(name)
        aws.region.await_state(name, "terminated")


def test_a_missing_launch_template_is_named(aws: Aws) -> None:
    fleet = Ec2Fleet(aws.clients["ec2"], FLEET, "nowhere-worker")

    with pytest.raises(
        ServiceDenied, match=r"the launch template nowhere-worker.*create the stack"
    ):
        fleet.launch(0, token())
