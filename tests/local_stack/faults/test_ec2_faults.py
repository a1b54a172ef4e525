"""Instances on a bad day, as boto3 sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.harness.local_region import Bench, error_of

if TYPE_CHECKING:
    from collections.abc import Callable


def test_ec2_has_no_capacity_for_a_launch_or_a_start(bench: Bench) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "RunInstances": bench.region.launch,
        "StartInstances": lambda: bench.ec2.start_instances(InstanceIds=["i-0123456789abcdef0"]),
    }
    before = bench.instances()
    for operation, call in calls.items():
        bench.plan("no capacity", operation=operation)
        with pytest.raises(ClientError) as caught:
            call()
        assert error_of(caught) == ("InsufficientInstanceCapacity", 500)
        assert bench.remote.injected() == {"no capacity": 1}
    assert bench.instances() == before


def test_a_start_that_falls_back_answers_ok_and_ends_stopped(bench: Bench) -> None:
    instance = bench.region.launch()
    bench.region.await_state(instance, "running")
    bench.ec2.stop_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "stopped")
    bench.plan("start falls back", seconds=0.3)

    reply = bench.ec2.start_instances(InstanceIds=[instance])

    assert reply["StartingInstances"][0]["CurrentState"]["Name"] == "pending"
    assert bench.region.describe(instance)["State"]["Name"] == "pending"
    seen = bench.region.await_state(instance, "stopped")
    assert seen["StateReason"]["Code"] == "Server.InsufficientInstanceCapacity"
    bench.ec2.start_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "running")
    bench.ec2.terminate_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "terminated")


def test_an_instance_that_fell_back_can_be_started_again(bench: Bench) -> None:
    instance = bench.region.launch()
    bench.region.await_state(instance, "running")
    bench.ec2.stop_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "stopped")
    bench.plan("start falls back", seconds=0.4)
    bench.ec2.start_instances(InstanceIds=[instance])
    with pytest.raises(ClientError) as caught:
        bench.ec2.stop_instances(InstanceIds=[instance])
    assert error_of(caught) == ("IncorrectInstanceState", 400)
    bench.region.await_state(instance, "stopped")

    bench.ec2.start_instances(InstanceIds=[instance])

    bench.region.await_state(instance, "running")
    bench.ec2.terminate_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "terminated")


def test_ec2_refuses_for_good_what_a_plan_names(bench: Bench) -> None:
    instance = bench.region.launch()
    bench.region.await_state(instance, "running")
    ids = {"InstanceIds": [instance]}
    refused: dict[str, tuple[Callable[..., Any], str, int]] = {
        "offer refused": (bench.region.launch, "UnauthorizedOperation", 403),
        "stop refused": (lambda: bench.ec2.stop_instances(**ids), "OperationNotPermitted", 400),
        "protected": (lambda: bench.ec2.terminate_instances(**ids), "OperationNotPermitted", 400),
        "start refused for good": (
            lambda: bench.ec2.start_instances(**ids),
            "InvalidVolume.NotFound",
            400,
        ),
    }
    for kind, (call, code, status) in refused.items():
        bench.plan(kind)
        with pytest.raises(ClientError) as caught:
            call()
        assert error_of(caught) == (code, status)
        assert bench.remote.injected() == {kind: 1}
    assert bench.region.describe(instance)["State"]["Name"] == "running"
    bench.ec2.terminate_instances(**ids)
    bench.region.await_state(instance, "terminated")


def test_an_offer_is_refused_by_its_type_alone(bench: Bench) -> None:
    bench.plan("offer refused", resource="m7i.large")

    instance = bench.region.launch(InstanceType="c7i.large")
    with pytest.raises(ClientError) as caught:
        bench.region.launch(InstanceType="m7i.large")

    assert error_of(caught) == ("UnauthorizedOperation", 403)
    bench.ec2.terminate_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "terminated")


def test_a_boot_without_a_network_runs_and_can_be_stopped(bench: Bench) -> None:
    bench.plan("offer never speaks", seconds=0.2)
    instance = bench.region.launch()

    bench.region.await_state(instance, "running")
    bench.ec2.stop_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "stopped")

    bench.ec2.terminate_instances(InstanceIds=[instance])
    bench.region.await_state(instance, "terminated")


def test_a_boot_that_hangs_is_pending_until_it_fails_or_is_terminated(bench: Bench) -> None:
    bench.plan("boot hangs", seconds=60)
    hung = bench.region.launch()
    bench.plan("boot hangs", seconds=0.2)
    failed, well = bench.region.launch(), bench.region.launch()

    bench.region.await_state(well, "running")

    assert bench.region.describe(hung)["State"]["Name"] == "pending"
    seen = bench.region.await_state(failed, "stopped")
    assert seen["StateReason"]["Code"] == "Server.InternalError"
    bench.ec2.terminate_instances(InstanceIds=[hung, failed, well])
    for instance in (hung, failed, well):
        bench.region.await_state(instance, "terminated")


def test_ec2_shows_its_instances_of_before(bench: Bench) -> None:
    def states() -> list[str]:
        reply = bench.ec2.describe_instances(Filters=[{"Name": "tag:of", "Values": [bench.queue]}])
        return [i["State"]["Name"] for r in reply["Reservations"] for i in r["Instances"]]

    bench.plan("describe late", nth=1, seconds=60)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "of", "Value": bench.queue}]}]
    assert states() == []  # nothing earlier to show: no fault
    assert bench.remote.injected() == {}
    instance = bench.region.launch(TagSpecifications=tags)

    assert states() == []
    assert states() in (["pending"], ["running"])
    assert bench.remote.injected() == {"describe late": 1}
    bench.ec2.terminate_instances(InstanceIds=[instance])
