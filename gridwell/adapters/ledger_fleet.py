"""The fleet's facts in the ledger table: slots, heartbeats, the switch, the view."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.dynamo_table import Table
from gridwell.adapters.ledger_items import number, text
from gridwell.domain.errors import InvalidMessage
from gridwell.domain.fleet import Control, FleetView, Heartbeat, Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from gridwell.adapters.ledger_items import Item

SLOTS: Final = 100  #: two digits; one consistent batch reads them all
HEARTBEAT_KEPT_SECONDS: Final = 7 * 86_400  #: then TTL removes a worker that has gone

_WORKER: Final = "worker#"
_SLOT: Final = "slot#"
_CONTROL: Final = {"pk": text("control")}


class DynamoFleetLedger:
    """Keeps the promises of `gridwell.domain.ports.FleetLedger`.

    Args:
        client: of DynamoDB.
        table: the ledger table's name.
        fleet: the fleet's name.
    """

    def __init__(self, client: DynamoDBClient, table: str, fleet: str) -> None:
        self._table = Table(client, table)
        self._view_key = {"pk": text(f"fleet#{fleet}")}

    def beat(self, heartbeat: Heartbeat) -> None:
        """See `gridwell.domain.ports.FleetLedger`."""
        refuses = {"refuses": text(heartbeat.refuses)} if heartbeat.refuses else {}
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
                **refuses,
            }
        )

    def heartbeats(self, workers: Iterable[str]) -> dict[str, Heartbeat]:
        """See `gridwell.domain.ports.FleetLedger`."""
        items = self._table.get_many({"pk": text(_WORKER + worker)} for worker in workers)
        return {beat.worker: beat for beat in map(_heartbeat, items)}

    def slots(self) -> tuple[Slot, ...]:
        """See `gridwell.domain.ports.FleetLedger`."""
        items = self._table.get_many(_slot_key(place) for place in range(SLOTS))
        return tuple(sorted(map(_slot, items), key=lambda slot: slot.number))

    def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
        """See `gridwell.domain.ports.FleetLedger`."""
        condition = "#epoch = :seen"
        if seen.epoch == 0:
            condition += " OR attribute_not_exists(#pk)"
        item = _slot_item(slot)
        written, against = self._table.put(item, condition, {"seen": number(seen.epoch)})
        # Tried again after a lost reply: it meets itself.
        return written or (against is not None and _slot(against) == slot)

    def control(self) -> Control:
        """See `gridwell.domain.ports.FleetLedger`."""
        item = self._table.get(_CONTROL)
        if item is None:
            return Control()
        with _explained(item):
            return Control(cap=_whole(item, "cap"), paused=item["paused"]["BOOL"])

    def write_control(self, control: Control) -> None:
        """See `gridwell.domain.ports.FleetLedger`."""
        cap = {} if control.cap is None else {"cap": number(control.cap)}
        self._table.put({**_CONTROL, "paused": {"BOOL": control.paused}, **cap})

    def view(self) -> FleetView | None:
        """See `gridwell.domain.ports.FleetLedger`."""
        item = self._table.get(self._view_key)
        if item is None:
            return None
        with _explained(item):
            return FleetView.decode(item["view"]["S"])

    def write_view(self, view: FleetView) -> None:
        """See `gridwell.domain.ports.FleetLedger`."""
        self._table.put({**self._view_key, "view": text(view.encode())})


def _slot_key(place: int) -> Item:
    if not 0 <= place < SLOTS:
        raise ValueError(f"slot {place} is not between 0 and {SLOTS - 1}")
    return {"pk": text(f"{_SLOT}{place:02d}")}


def _slot_item(slot: Slot) -> Item:
    item = {
        **_slot_key(slot.number),
        "epoch": number(slot.epoch),
        "failures": number(slot.failures),
        "not_before": number(slot.not_before),
    }
    optional = {
        "token": None if slot.token is None else text(slot.token),
        "instance": None if slot.instance is None else text(slot.instance),
        "started_at": None if slot.started_at is None else number(slot.started_at),
        "stopped_since": None if slot.stopped_since is None else number(slot.stopped_since),
    }
    return item | {name: value for name, value in optional.items() if value is not None}


def _slot(item: Mapping[str, Any]) -> Slot:
    with _explained(item):
        return Slot(
            number=int(item["pk"]["S"].removeprefix(_SLOT)),
            epoch=int(item["epoch"]["N"]),
            token=item.get("token", {}).get("S"),
            instance=item.get("instance", {}).get("S"),
            started_at=_time(item, "started_at"),
            stopped_since=_time(item, "stopped_since"),
            failures=int(item["failures"]["N"]),
            not_before=float(item["not_before"]["N"]),
        )


def _heartbeat(item: Mapping[str, Any]) -> Heartbeat:
    with _explained(item):
        return Heartbeat(
            worker=item["pk"]["S"].removeprefix(_WORKER),
            at=float(item["at"]["N"]),
            busy=int(item["busy"]["N"]),
            draining=item["draining"]["BOOL"],
            chunks=int(item["chunks"]["N"]),
            seconds=float(item["seconds"]["N"]),
            version=item["version"]["S"],
            refuses=item.get("refuses", {}).get("S", ""),
        )


def _time(item: Mapping[str, Any], name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None


def _whole(item: Mapping[str, Any], name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


@contextmanager
def _explained(item: Mapping[str, Any]) -> Iterator[None]:
    """Tell which item cannot be read."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidMessage(
            f"the ledger's item {item['pk']['S']!r} cannot be read ({error!r}); it was written by "
            "hand or by another version"
        ) from error
