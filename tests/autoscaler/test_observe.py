from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.act.carry_out import learn
from autoscaler.decide.model import Read
from autoscaler.observe import ObservedPorts, observe
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryLedger, MemoryQueue
from gridwell.engine.errors import InvalidMessage, ServiceBusy, ServiceDenied
from gridwell.engine.ports import Depth
from gridwell.fleet.model import Control, FleetView, Heartbeat, Slot
from tests.autoscaler.decide.snapshots import POLICY, token

_CALLS = [
    ("ec2", "instances", Read.INSTANCES),
    ("ec2", "release", Read.RELEASE),
    ("chunks", "depth", Read.DEPTH),
    ("ledger", "slots", Read.SLOTS),
    ("ledger", "control", Read.CONTROL),
    ("ledger", "heartbeats", Read.HEARTBEATS),
]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ports(clock: ManualClock) -> ObservedPorts:
    """A fleet of one booted instance that beats, a queue of two, a cap of three."""
    ec2, ledger, queue = MemoryEc2(clock, boot_seconds=20), MemoryLedger(), MemoryQueue(clock)
    slot = Slot(number=0, epoch=1, token=token(0), started_at=clock.now())
    ledger.write_slot(slot, seen=Slot(number=0))
    ec2.launch(0, token(0))
    clock.advance(30)
    (instance,) = ec2.instances()
    ledger.beat(
        Heartbeat(
            worker=instance.arn,
            at=clock.now(),
            busy=1,
            draining=False,
            chunks=7,
            seconds=3.0,
            version="1",
        )
    )
    ledger.write_control(Control(cap=3))
    queue.send(["one", "two"])
    queue.receive(at_most=1, wait=0)
    return ObservedPorts(ec2=ec2, chunks=queue, ledger=ledger, clock=clock)


def failing(ports: ObservedPorts, port: str, call: str, error: Exception) -> ObservedPorts:
    """The ports with one call that fails."""

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return fail if name == call else getattr(getattr(ports, port), name)

    def fail(*_: object) -> None:
        raise error

    return replace(ports, **{port: Failing()})


def test_one_look_sees_everything(ports: ObservedPorts, clock: ManualClock) -> None:
    observation = observe(ports, None, POLICY)

    seen = observation.snapshot
    (instance,) = seen.instances
    assert seen.taken_at == clock.now()
    assert seen.depth == Depth(visible=1, in_flight=1)
    assert seen.release == "release-1"
    assert seen.control == Control(cap=3)
    assert seen.heartbeats[instance.arn].chunks == 7
    assert seen.unknown == frozenset()
    assert observation.problems == ()


def test_what_was_learned_is_remembered_by_the_ledger(ports: ObservedPorts) -> None:
    observation = observe(ports, None, POLICY)

    learn(observation.learned, ports, fence=1)

    (slot,) = ports.ledger.slots()
    assert slot.instance == ports.ec2.instances()[0].id
    assert observation.snapshot.slots == (replace(slot, fence=0),)
    assert observe(ports, None, POLICY).learned == ()


def test_what_was_learned_never_undoes_a_launch_that_came_between(ports: ObservedPorts) -> None:
    observation = observe(ports, None, POLICY)
    (slot,) = ports.ledger.slots()
    ports.ledger.write_slot(Slot(number=0, epoch=2, token=token(0, 2)), seen=slot)

    learn(observation.learned, ports, fence=1)

    assert ports.ledger.slots()[0].epoch == 2


@pytest.mark.parametrize(("port", "call", "read"), _CALLS)
@pytest.mark.parametrize(
    "error", [ServiceBusy("throttled"), ServiceDenied("no"), InvalidMessage("strange item")]
)
def test_a_failed_read_is_said_and_hides_no_other(
    ports: ObservedPorts, port: str, call: str, read: Read, error: Exception
) -> None:
    observation = observe(failing(ports, port, call, error), None, POLICY)

    assert observation.snapshot.unknown == {read}
    assert observation.problems == (f"{read}: {type(error).__name__}: {error}",)


@pytest.mark.parametrize("call", [("ec2", "instances"), ("ledger", "slots")])
def test_half_a_look_teaches_nothing(ports: ObservedPorts, call: tuple[str, str]) -> None:
    assert observe(failing(ports, *call, ServiceBusy("throttled")), None, POLICY).learned == ()


def test_an_empty_fleet_has_no_heartbeats_to_ask_for(clock: ManualClock) -> None:
    ports = ObservedPorts(
        ec2=MemoryEc2(clock), chunks=MemoryQueue(clock), ledger=MemoryLedger(), clock=clock
    )

    seen = observe(failing(ports, "ledger", "heartbeats", ServiceBusy("no")), None, POLICY).snapshot

    assert seen.unknown == frozenset()


def test_the_last_arrival_is_known_from_the_view_of_an_earlier_daemon(
    ports: ObservedPorts, clock: ManualClock
) -> None:
    (message,) = ports.chunks.receive(at_most=1, wait=0)
    ports.chunks.delete([message.receipt])
    earlier = FleetView(
        at=clock.now() - 5,
        instances=(),
        queue=Depth(visible=0, in_flight=1),
        cap=3,
        arrived_at=clock.now() - 100,
    )

    assert observe(ports, earlier, POLICY).snapshot.arrived_at == clock.now() - 100
