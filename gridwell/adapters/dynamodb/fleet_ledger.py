"""The fleet's facts in the ledger table: slots, lease, heartbeats, the switch, the view."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.dynamodb.audit_log import DynamoAuditLog
from gridwell.adapters.dynamodb.fleet_items import (
    SLOTS,
    lease_item,
    lease_key,
    lease_of,
    readable_slot,
    slot_item,
    slot_key,
)
from gridwell.adapters.dynamodb.job_items import explained, number, text
from gridwell.adapters.dynamodb.suspects import SuspectItems
from gridwell.adapters.dynamodb.table import Table
from gridwell.engine.errors import InvalidMessage
from gridwell.fleet.model import Control, FleetView, Heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from gridwell.engine.task_failure import Suspect
    from gridwell.fleet.model import Lease, Slot

HEARTBEAT_KEPT_SECONDS: Final = 7 * 86_400  #: then TTL removes a worker that has gone

_WORKER: Final = "worker#"
#: Rows that could not be read are replaced only while they are as they were read, or older.
_STILL_OLD: Final = (
    "( attribute_not_exists(#epoch) OR NOT attribute_type(#epoch, :number) OR #epoch <= :seen )"
    " AND "
    "( attribute_not_exists(#fence) OR NOT attribute_type(#fence, :number) OR #fence <= :fence )"
)
_STILL_UNREADABLE: Final = (
    "attribute_not_exists(#owner) OR NOT attribute_type(#owner, :text) OR "
    "attribute_not_exists(#fence) OR NOT attribute_type(#fence, :number) OR "
    "attribute_not_exists(#expires_at) OR NOT attribute_type(#expires_at, :number)"
)


class DynamoFleetLedger:
    """Keeps the promises of `gridwell.fleet.ports.FleetLedger`.

    Args:
        client: of DynamoDB.
        table: the ledger table's name.
        fleet: the fleet's name.
    """

    def __init__(self, client: DynamoDBClient, table: str, fleet: str) -> None:
        self._table = Table(client, table)
        self.audit = DynamoAuditLog(client, table)
        self._suspects = SuspectItems(self._table)
        self._fleet = fleet
        self._view_key = {"pk": text(f"fleet#{fleet}")}
        self._control_key = {"pk": text(f"control#{fleet}")}

    def beat(self, heartbeat: Heartbeat) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        optional = {
            "refuses": heartbeat.refuses,
            "run": heartbeat.run,
            "unfit": heartbeat.unfit,
        }
        self._table.put(
            {
                "pk": text(_WORKER + heartbeat.worker),
                "at": number(heartbeat.at),
                "busy": number(heartbeat.busy),
                "draining": {"BOOL": heartbeat.draining},
                "chunks": number(heartbeat.chunks),
                "seconds": number(heartbeat.seconds),
                "version": text(heartbeat.version),
                "expires": number(int(heartbeat.at) + HEARTBEAT_KEPT_SECONDS),
                "count": number(heartbeat.count),
                **({} if heartbeat.skew is None else {"skew": number(heartbeat.skew)}),
                **{name: text(value) for name, value in optional.items() if value},
            }
        )

    def heartbeats(self, workers: Iterable[str]) -> dict[str, Heartbeat]:
        """See `gridwell.fleet.ports.FleetLedger`."""
        items = self._table.get_many({"pk": text(_WORKER + worker)} for worker in workers)
        return {beat.worker: beat for beat in map(_heartbeat, items)}

    def suspects(self, workers: Iterable[str]) -> dict[str, Suspect]:
        """See `gridwell.fleet.ports.FleetLedger`."""
        return self._suspects.read(workers)

    def slots(self, places: Iterable[int] | None = None) -> tuple[Slot, ...]:
        """See `gridwell.fleet.ports.FleetLedger`."""
        wanted = range(SLOTS) if places is None else sorted(set(places))
        items = self._table.get_many(slot_key(self._fleet, place) for place in wanted)
        return tuple(sorted(map(readable_slot, items), key=lambda slot: slot.number))

    def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
        """See `gridwell.fleet.ports.FleetLedger`."""
        condition = "#epoch = :seen AND #fence <= :fence"
        if seen.epoch == 0:
            condition += " OR attribute_not_exists(#pk)"
        values = {"seen": number(seen.epoch), "fence": number(slot.fence)}
        if seen.unreadable:
            condition, values["number"] = _STILL_OLD, text("N")
        written, against = self._table.put(slot_item(self._fleet, slot), condition, values)
        # Tried again after a lost reply: it meets itself.
        return written or (against is not None and readable_slot(against) == slot)

    def control(self) -> Control:
        """See `gridwell.fleet.ports.FleetLedger`."""
        item = self._table.get(self._control_key)
        if item is None:
            return Control()
        return _control(item)

    def write_control(self, control: Control) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        cap = {} if control.cap is None else {"cap": number(control.cap)}
        self._table.put({**self._control_key, "paused": {"BOOL": control.paused}, **cap})

    def view(self) -> FleetView | None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        item = self._table.get(self._view_key)
        if item is None:
            return None
        with explained(item):
            return FleetView.decode(item["view"]["S"])

    def write_view(self, view: FleetView) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        self._table.put({**self._view_key, "view": text(view.encode())})

    def lease(self) -> Lease | None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        item = self._table.get(lease_key(self._fleet))
        return None if item is None else lease_of(item)

    def write_lease(self, lease: Lease, *, seen: Lease | None) -> bool:
        """See `gridwell.fleet.ports.FleetLedger`."""
        condition, values = "attribute_not_exists(#pk)", {}
        if seen is not None and seen.unreadable:
            condition, values = _STILL_UNREADABLE, {"text": text("S"), "number": text("N")}
        elif seen is not None:
            condition = "#owner = :owner AND #fence = :fence AND #expires_at = :expires"
            # A lease that an older release wrote has no number of renewals.
            condition += " AND #renewal = :renewal" if seen.renewal else ""
            values = {
                "owner": text(seen.owner),
                "fence": number(seen.fence),
                "expires": number(seen.expires),
                **({"renewal": number(seen.renewal)} if seen.renewal else {}),
            }
        written, against = self._table.put(lease_item(self._fleet, lease), condition, values)
        return written or (against is not None and lease_of(against) == lease)


def _heartbeat(item: Mapping[str, Any]) -> Heartbeat:
    """Return the heartbeat that an item holds; one that cannot be read is no recent sign of life.

    Its digest changes with the row: a worker of another release is alive that goes on to write it.
    """
    worker = item["pk"]["S"].removeprefix(_WORKER)
    try:
        with explained(item):
            return Heartbeat(
                worker=worker,
                at=float(item["at"]["N"]),
                busy=int(item["busy"]["N"]),
                draining=item["draining"]["BOOL"],
                chunks=int(item["chunks"]["N"]),
                seconds=float(item["seconds"]["N"]),
                version=item["version"]["S"],
                refuses=item.get("refuses", {}).get("S", ""),
                run=item.get("run", {}).get("S", ""),
                count=_whole(item, "count") or 0,
                skew=float(item["skew"]["N"]) if "skew" in item else None,
                unfit=item.get("unfit", {}).get("S", ""),
            )
    except InvalidMessage as error:
        digest = hashlib.sha256(repr(sorted(item.items())).encode()).hexdigest()[:16]
        return Heartbeat(
            worker=worker,
            at=0.0,
            busy=0,
            draining=False,
            chunks=0,
            seconds=0.0,
            version="",
            unreadable=f"{error} (row {digest})",
        )


def _control(item: Mapping[str, Any]) -> Control:
    """Return the switch; a field that cannot be read is named, and pauses if it may say so."""
    unreadable = []
    cap = None
    try:
        cap = _whole(item, "cap")
    except (KeyError, ValueError):
        unreadable.append("cap")
    paused = item.get("paused", {"BOOL": False}).get("BOOL")
    if not isinstance(paused, bool):
        paused = True
        unreadable.append("paused")
    return Control(cap=cap, paused=paused, unreadable=tuple(unreadable))


def _whole(item: Mapping[str, Any], name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None
