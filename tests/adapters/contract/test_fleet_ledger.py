from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger
from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.errors import InvalidMessage, ServiceBusy
from gridwell.engine.ports import Depth
from gridwell.engine.task_failure import Suspect
from gridwell.fleet.model import (
    Control,
    Decision,
    FleetView,
    Heartbeat,
    InstanceView,
    Lease,
    Offering,
    Slot,
)
from tests.harness.builders import NOW
from tests.harness.faulty_port import Lossy
from tests.harness.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.engine.ports import JobLedger
    from gridwell.fleet.ports import FleetLedger
    from tests.adapters.conftest import Aws

ARN = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"
TOKEN, OTHER_TOKEN = "1" * 64, "2" * 64
BEAT = Heartbeat(
    worker=ARN,
    at=NOW + 0.1,
    busy=2,
    draining=False,
    chunks=41,
    seconds=12.7,
    version="0.1.0",
    refuses="a message of version 2",
    run="0123456789abcdef",
    count=7,
    skew=-600.5,
)
FULL_SLOT = Slot(
    number=18,
    epoch=1,
    token=TOKEN,
    instance="i-1",
    started_at=NOW + 0.3,
    stopped_since=NOW + 0.7,
    failures=2,
    not_before=NOW + 90.5,
    stopping_since=NOW + 0.6,
    offer=Offering(type="c7i.large", subnet="subnet-1"),
    refusals=((Offering(), NOW + 0.1), (Offering(type="c6i.large"), NOW + 0.2)),
    unproven=True,
    release="e" * 64,
    failed_boots=2,
    failed_at=NOW + 50.5,
    proven_at=NOW - 99.5,
    condemned="i-1",
    fence=7,
    heard="0123456789abcdef 6",
)
LEASE = Lease(owner="here:1:aa", fence=7, expires=NOW + 30.1, renewal=3, seconds=30.0)
_tables = itertools.count()


@pytest.fixture
def ledger(backend: str, request: pytest.FixtureRequest) -> Iterator[FleetLedger]:
    """An empty ledger."""
    if backend == "memory":
        yield MemoryLedger()
        return
    aws: Aws = request.getfixturevalue("aws")
    client, name = aws.clients["dynamodb"], aws.names["LedgerTable"]
    yield DynamoFleetLedger(client, name, "adapters")
    for item in client.scan(TableName=name, ProjectionExpression="pk")["Items"]:
        if not item["pk"]["S"].startswith("job#"):
            client.delete_item(TableName=name, Key=item)


def test_a_worker_s_last_heartbeat_is_kept(ledger: FleetLedger) -> None:
    later = replace(BEAT, at=NOW + 5, busy=0, draining=True, seconds=0.1 + 0.2)
    ledger.beat(BEAT)
    assert ledger.heartbeats([ARN]) == {ARN: BEAT}

    ledger.beat(later)

    assert ledger.heartbeats([ARN, "never seen", ARN]) == {ARN: later}
    assert ledger.heartbeats([]) == {}


def test_slots_that_were_never_used_are_absent(ledger: FleetLedger) -> None:
    assert ledger.slots() == ()


def test_slots_come_back_by_number(ledger: FleetLedger) -> None:
    first = Slot(number=2, epoch=1, token=TOKEN)
    assert ledger.write_slot(FULL_SLOT, seen=Slot(number=18))
    assert ledger.write_slot(first, seen=Slot(number=2))

    assert ledger.slots() == (first, FULL_SLOT)
    assert ledger.slots(range(4)) == (first,)
    assert ledger.slots([18, 18, 3]) == (FULL_SLOT,)


def test_a_slot_can_be_noted_before_any_launch(ledger: FleetLedger) -> None:
    noted = Slot(number=0, stopped_since=NOW)
    assert ledger.write_slot(noted, seen=Slot(number=0))
    assert ledger.write_slot(replace(noted, failures=1), seen=noted)

    assert ledger.slots() == (replace(noted, failures=1),)


def test_a_slot_is_written_only_over_the_epoch_that_was_seen(ledger: FleetLedger) -> None:
    empty = Slot(number=3)
    launched = replace(empty, epoch=1, token=TOKEN)
    ledger.write_slot(launched, seen=empty)

    assert not ledger.write_slot(replace(empty, epoch=1, token=OTHER_TOKEN), seen=empty)
    assert ledger.write_slot(launched, seen=empty)  # the same write after a lost reply
    assert not ledger.write_slot(replace(launched, epoch=6), seen=replace(launched, epoch=5))
    assert ledger.slots() == (launched,)
    started = replace(launched, instance="i-1")
    assert ledger.write_slot(started, seen=launched)
    assert ledger.slots() == (started,)


def test_a_slot_takes_no_write_under_an_earlier_fence(ledger: FleetLedger) -> None:
    empty = Slot(number=3)
    ours = replace(empty, instance="i-1", fence=2)
    assert ledger.write_slot(ours, seen=empty)

    assert not ledger.write_slot(replace(empty, instance="i-2", fence=1), seen=empty)
    assert ledger.slots() == (ours,)
    assert ledger.write_slot(replace(ours, fence=3), seen=ours)


def test_a_slot_seen_in_use_but_gone_is_not_written(ledger: FleetLedger) -> None:
    assert not ledger.write_slot(Slot(number=7, epoch=6), seen=Slot(number=7, epoch=5))
    assert ledger.slots() == ()


def test_of_racing_launches_in_one_slot_one_wins(ledger: FleetLedger) -> None:
    empty = Slot(number=4)

    won = at_once(
        [
            lambda t=t: ledger.write_slot(replace(empty, epoch=1, token=t), seen=empty)  # type: ignore[misc]
            for t in "abcdefgh"
        ]
    )

    (slot,) = ledger.slots()
    assert slot.token is not None
    assert [t for t, w in zip("abcdefgh", won, strict=True) if w] == [slot.token]


@pytest.mark.parametrize(
    "control", [Control(cap=0, paused=True), Control(cap=7), Control(paused=True), Control()]
)
def test_the_switch_is_read_as_it_was_set(ledger: FleetLedger, control: Control) -> None:
    assert ledger.control() == Control()
    ledger.write_control(Control(cap=3, paused=True))

    ledger.write_control(control)

    assert ledger.control() == control


def test_the_view_is_the_last_one_written(ledger: FleetLedger) -> None:
    view = FleetView(
        at=NOW + 0.1,
        instances=(InstanceView(id="i-1", state="running", slot=1, since=NOW, busy=2, chunks=9),),
        queue=Depth(visible=3, in_flight=4),
        cap=19,
        paused=True,
        decisions=(Decision(at=NOW, reason="3 chunks \N{RIGHTWARDS ARROW} 1 launch", launch=1),),
        arrived_at=NOW - 0.5,
    )
    assert ledger.view() is None
    ledger.write_view(replace(view, cap=1))

    ledger.write_view(view)

    assert ledger.view() == view


def test_a_lease_is_written_only_over_the_one_that_was_seen(ledger: FleetLedger) -> None:
    assert ledger.lease() is None
    assert ledger.write_lease(LEASE, seen=None)
    assert ledger.lease() == LEASE
    other = replace(LEASE, owner="there:2:bb", fence=8)
    longer = replace(LEASE, expires=NOW + 40.5)

    assert not ledger.write_lease(other, seen=None)
    assert ledger.write_lease(longer, seen=LEASE)
    assert ledger.write_lease(longer, seen=LEASE)  # the same write after a lost reply
    assert not ledger.write_lease(other, seen=LEASE)
    assert ledger.lease() == longer


def test_of_racing_autoscalers_one_takes_the_lease(ledger: FleetLedger) -> None:
    won = at_once(
        [
            lambda o=owner: ledger.write_lease(replace(LEASE, owner=o), seen=None)  # type: ignore[misc]
            for owner in "abcdefgh"
        ]
    )

    lease = ledger.lease()
    assert lease is not None
    assert [o for o, w in zip("abcdefgh", won, strict=True) if w] == [lease.owner]


# --- what DynamoDB alone shows


def test_each_fleet_has_its_own_view(aws: Aws) -> None:
    client, name = aws.clients["dynamodb"], aws.names["LedgerTable"]
    view = FleetView(at=NOW, instances=(), queue=Depth(visible=0, in_flight=0), cap=1)
    DynamoFleetLedger(client, name, f"one-{next(_tables)}").write_view(view)

    assert DynamoFleetLedger(client, name, f"two-{next(_tables)}").view() is None


def test_fleets_on_one_table_share_no_switch_slot_or_lease(aws: Aws) -> None:
    client, name = aws.clients["dynamodb"], aws.names["LedgerTable"]
    one = DynamoFleetLedger(client, name, f"one-{next(_tables)}")
    two = DynamoFleetLedger(client, name, f"two-{next(_tables)}")
    one.write_control(Control(paused=True))
    one.write_slot(FULL_SLOT, seen=Slot(number=18))
    one.write_lease(LEASE, seen=None)

    assert (two.control(), two.slots(), two.lease()) == (Control(), (), None)


def test_a_slot_s_write_whose_reply_was_lost_recognises_itself(aws: Aws) -> None:
    client: Any = Lossy(aws.clients["dynamodb"], "put_item")
    ledger = DynamoFleetLedger(client, aws.names["LedgerTable"], "adapters")
    empty = Slot(number=99)
    slot = replace(empty, epoch=1, token=TOKEN)
    with pytest.raises(ServiceBusy):
        ledger.write_slot(slot, seen=empty)

    assert ledger.write_slot(slot, seen=empty)


def test_a_slot_without_place_is_refused(aws: Aws) -> None:
    ledger = DynamoFleetLedger(aws.clients["dynamodb"], aws.names["LedgerTable"], "adapters")

    with pytest.raises(ValueError, match="slot 100 is not between 0 and 99"):
        ledger.write_slot(Slot(number=100), seen=Slot(number=100))


def test_a_heartbeat_goes_when_its_worker_has_long_gone(aws: Aws) -> None:
    client, name = aws.clients["dynamodb"], aws.names["LedgerTable"]
    DynamoFleetLedger(client, name, "adapters").beat(BEAT)

    item = client.get_item(TableName=name, Key={"pk": {"S": f"worker#{ARN}"}})["Item"]
    assert item["expires"] == {"N": str(int(NOW) + 7 * 86_400)}


def test_an_item_written_by_hand_is_named(aws: Aws) -> None:
    client, name = aws.clients["dynamodb"], aws.names["LedgerTable"]
    client.put_item(TableName=name, Item={"pk": {"S": "fleet#hand"}, "view": {"S": "{}"}})

    with pytest.raises(InvalidMessage, match="fleet#hand"):
        DynamoFleetLedger(client, name, "hand").view()


# --- suspects


def test_a_suspect_is_kept_with_each_attempt_in_which_it_was_wrong(ledger: FleetLedger) -> None:
    jobs = cast("JobLedger", ledger)
    if isinstance(ledger, DynamoFleetLedger):
        jobs = DynamoJobLedger(ledger._table._client, ledger._table._name)
    first = Suspect(worker=ARN, attempts=frozenset({"a" * 16}), job="1", why="one", at=NOW)
    later = replace(first, attempts=frozenset({"b" * 16}), job="2", why="two", at=NOW + 5.5)

    jobs.record_suspect(first)
    jobs.record_suspect(later)
    jobs.record_suspect(later)

    both = replace(later, attempts=frozenset({"a" * 16, "b" * 16}))
    assert ledger.suspects([ARN, "another"]) == {ARN: both}
    assert ledger.suspects([]) == {}
