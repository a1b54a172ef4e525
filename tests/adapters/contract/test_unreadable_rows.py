"""Rows that somebody spoilt: each hurts its own machine or slot alone, and is mended where safe."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from autoscaler.daemon import Daemon
from autoscaler.decide.model import Policy
from autoscaler.observe import ObservedPorts
from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryQueue
from gridwell.engine.ports import Depth
from gridwell.fleet.model import ON, Control, FleetView, Heartbeat, InstanceState, Lease, Slot
from tests.harness.builders import NOW

if TYPE_CHECKING:
    from tests.adapters.conftest import Aws

_numbers = itertools.count()


class Table:
    """The real table's items of a fleet of its own."""

    def __init__(self, aws: Aws) -> None:
        self.fleet = f"spoilt-{next(_numbers)}"
        self._client: Any = aws.clients["dynamodb"]
        self._name = aws.names["LedgerTable"]
        self.ledger = DynamoFleetLedger(self._client, self._name, self.fleet)

    def put(self, key: str, **attributes: Any) -> None:
        self._client.put_item(TableName=self._name, Item={"pk": {"S": key}, **attributes})

    def spoil(self, key: str, attribute: str, value: Any = None) -> None:
        """Remove an attribute, or give it another value."""
        item = self._client.get_item(TableName=self._name, Key={"pk": {"S": key}})["Item"]
        item.pop(attribute, None)
        if value is not None:
            item[attribute] = value
        self._client.put_item(TableName=self._name, Item=item)


class Fleet:
    """The real daemon on the real table, with EC2 in memory and workers that never speak."""

    def __init__(self, table: Table, *, cap: int = 2) -> None:
        self.clock = ManualClock()
        self.ec2 = MemoryEc2(self.clock)
        self.queue = MemoryQueue(self.clock)
        self.table = table
        ports = ObservedPorts(
            ec2=self.ec2, chunks=self.queue, ledger=table.ledger, clock=self.clock
        )
        self.daemon = Daemon(
            ports,
            Policy(max_instances=cap, chunks_per_instance=1),
            fleet=table.fleet,
            owner="us",
            tick_seconds=10.0,
        )

    def live(self, ticks: int) -> None:
        for _ in range(ticks):
            self.daemon.tick()
            self.clock.advance(10.0)

    def beat(self) -> None:
        for one in self.ec2.instances():
            if one.state is InstanceState.RUNNING:
                self.table.ledger.beat(
                    Heartbeat(
                        worker=one.arn,
                        at=self.clock.now(),
                        busy=0,
                        draining=False,
                        chunks=0,
                        seconds=0.0,
                        version="1",
                    )
                )

    def count(self, *states: InstanceState) -> int:
        return sum(one.state in states for one in self.ec2.instances())


@pytest.fixture
def table(aws: Aws) -> Table:
    return Table(aws)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("failures", None),
        ("epoch", None),
        ("epoch", {"S": "one"}),
        ("fence", None),
        ("refusals", {"S": ""}),
        ("unproven", {"N": "1"}),
        ("started_at", {"S": "yesterday"}),
    ],
)
def test_a_slot_that_cannot_be_read_keeps_its_place_and_is_mended(
    table: Table, attribute: str, value: Any
) -> None:
    good = Slot(number=1, epoch=3, fence=2)
    table.ledger.write_slot(Slot(number=55, epoch=2, fence=1), seen=Slot(number=55))
    table.ledger.write_slot(good, seen=Slot(number=1))
    table.spoil(f"slot#{table.fleet}#55", attribute, value)

    read, spoilt = table.ledger.slots()

    assert read == good
    assert (spoilt.number, bool(spoilt.unreadable)) == (55, True)
    mended = Slot(number=55, epoch=1_700_000_000, fence=5)
    assert table.ledger.write_slot(mended, seen=spoilt)
    assert table.ledger.slots([55]) == (mended,)
    assert not table.ledger.write_slot(Slot(number=55, epoch=9, fence=5), seen=spoilt)


@pytest.mark.parametrize("place", [0, 55])
def test_a_fleet_grows_beside_a_slot_that_cannot_be_read(table: Table, place: int) -> None:
    table.put(f"slot#{table.fleet}#{place:02d}", epoch={"S": "strange"})
    fleet = Fleet(table)
    fleet.queue.send(["chunk"] * 4)

    fleet.live(3)

    assert fleet.count(*ON) == (1 if place == 0 else 2)
    view = table.ledger.view()
    assert view is not None
    assert [(one.action, one.target) for one in view.refusals] == [("read", f"slot {place:02d}")]
    for _ in range(40):
        fleet.beat()
        fleet.live(1)
    assert not any(slot.unreadable for slot in table.ledger.slots())
    assert fleet.count(*ON) == 2
    view = table.ledger.view()
    assert view is not None
    assert view.refusals == ()


def test_a_heartbeat_that_cannot_be_read_shields_no_machine(table: Table) -> None:
    fleet = Fleet(table)
    fleet.queue.send(["chunk"] * 4)
    fleet.live(4)
    fleet.beat()
    first, second = fleet.ec2.instances()
    table.spoil(f"worker#{first.arn}", "busy", {"S": "very"})
    assert table.ledger.heartbeats([first.arn])[first.arn].unreadable

    fleet.queue.delete([one.receipt for one in fleet.queue.receive(at_most=10, wait=0)])
    fleet.live(30)

    states = {one.id: one.state for one in fleet.ec2.instances()}
    assert states[second.id] not in ON
    assert states[first.id] not in ON


def test_a_heartbeat_that_cannot_be_read_and_changes_is_a_sign_of_life(table: Table) -> None:
    fleet = Fleet(table, cap=1)
    fleet.queue.send(["chunk"])
    fleet.live(4)
    (one,) = fleet.ec2.instances()

    for count in range(60):
        table.put(f"worker#{one.arn}", at={"S": f"of another release, {count}"})
        fleet.live(1)

    assert [i.state for i in fleet.ec2.instances()] == [InstanceState.RUNNING]


@pytest.mark.parametrize(
    ("attributes", "control"),
    [
        ({}, Control()),
        ({"cap": {"N": "3"}}, Control(cap=3)),
        ({"paused": {"BOOL": True}, "cap": {"S": "x"}}, Control(paused=True, unreadable=("cap",))),
        ({"paused": {"S": "maybe"}}, Control(paused=True, unreadable=("paused",))),
    ],
)
def test_of_a_switch_that_cannot_be_read_what_can_be_counts(
    table: Table, attributes: dict[str, Any], control: Control
) -> None:
    table.put(f"control#{table.fleet}", **attributes)

    assert table.ledger.control() == control


def test_a_switch_that_cannot_be_read_stays_as_it_was_last_known(table: Table) -> None:
    fleet = Fleet(table)
    fleet.live(1)
    table.put(f"control#{table.fleet}", paused={"S": "maybe"})
    fleet.queue.send(["chunk"])

    fleet.live(2)

    assert fleet.count(*ON) == 1


def test_a_lease_that_cannot_be_read_is_taken_once_it_has_not_changed(table: Table) -> None:
    table.put(f"lease#{table.fleet}", fence={"N": "7"}, owner={"N": "1"})
    fleet = Fleet(table)
    fleet.queue.send(["chunk"])

    fleet.live(2)
    assert fleet.count(*ON) == 0
    fleet.live(4)

    lease = table.ledger.lease()
    assert lease is not None
    assert (lease.owner, lease.unreadable, lease.fence > 7) == ("us", False, True)
    assert fleet.count(*ON) == 1


def test_a_lease_that_was_mended_meanwhile_is_not_taken(table: Table) -> None:
    table.put(f"lease#{table.fleet}", owner={"N": "1"})
    spoilt = table.ledger.lease()
    theirs = Lease(owner="them", fence=9, expires=NOW)
    assert table.ledger.write_lease(theirs, seen=spoilt)

    assert not table.ledger.write_lease(Lease(owner="us", fence=10, expires=NOW), seen=spoilt)
    assert table.ledger.lease() == theirs


@pytest.mark.parametrize("part", ["history", "bill", "refusals"])
def test_a_part_of_the_view_that_cannot_be_read_hides_no_other(part: str) -> None:
    view = FleetView(at=NOW, instances=(), queue=Depth(visible=1, in_flight=2), cap=3)
    text = view.encode()
    start = text.index(f'"{part}":')

    spoilt = f'{text[:start]}"{part}":"eJw=","x":{text[start + len(part) + 3 :]}'

    assert FleetView.decode(spoilt) == view
