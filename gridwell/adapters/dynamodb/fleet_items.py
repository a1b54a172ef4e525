"""Slots and the lease as items of the ledger table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.dynamodb.job_items import explained, number, text
from gridwell.engine.errors import InvalidMessage
from gridwell.fleet.model import Lease, Offering, Slot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.adapters.dynamodb.job_items import Item

SLOTS: Final = 100  #: two digits; one consistent batch reads them all

_TEXTS: Final = ("token", "instance", "release", "condemned", "heard")
_TIMES: Final = (
    "started_at",
    "stopped_since",
    "stopping_since",
    "leaving_since",
    "failed_at",
    "proven_at",
)


def slot_key(fleet: str, place: int) -> Item:
    """The key of a fleet's slot.

    Raises:
        ValueError: if there is no such place.
    """
    if not 0 <= place < SLOTS:
        raise ValueError(f"slot {place} is not between 0 and {SLOTS - 1}")
    return {"pk": text(f"slot#{fleet}#{place:02d}")}


def slot_item(fleet: str, slot: Slot) -> Item:
    """A slot as it is stored; what is not known is left out."""
    item: Item = {
        **slot_key(fleet, slot.number),
        "epoch": number(slot.epoch),
        "failures": number(slot.failures),
        "not_before": number(slot.not_before),
        "refusals": {"M": {offer.name: number(at) for offer, at in slot.refusals}},
        "unproven": {"BOOL": slot.unproven},
        "failed_boots": number(slot.failed_boots),
        "fence": number(slot.fence),
    }
    if slot.offer is not None:
        item["offer"] = text(slot.offer.name)
    texts = {name: getattr(slot, name) for name in _TEXTS}
    item |= {name: text(value) for name, value in texts.items() if value is not None}
    times = {name: getattr(slot, name) for name in _TIMES}
    return item | {name: number(value) for name, value in times.items() if value is not None}


def slot_of(item: Mapping[str, Any]) -> Slot:
    """The slot that an item holds.

    Raises:
        InvalidMessage: if it is none of ours.
    """
    with explained(item):
        optional: dict[str, Any] = {name: item[name]["S"] for name in _TEXTS if name in item}
        optional |= {name: float(item[name]["N"]) for name in _TIMES if name in item}
        return Slot(
            number=int(item["pk"]["S"].rpartition("#")[2]),
            epoch=int(item["epoch"]["N"]),
            failures=int(item["failures"]["N"]),
            not_before=float(item["not_before"]["N"]),
            offer=Offering.named(item["offer"]["S"]) if "offer" in item else None,
            refusals=tuple(
                (Offering.named(name), float(at["N"]))
                for name, at in sorted(item["refusals"]["M"].items())
            ),
            unproven=item["unproven"]["BOOL"],
            failed_boots=int(item["failed_boots"]["N"]),
            fence=int(item["fence"]["N"]),
            **optional,
        )


def readable_slot(item: Mapping[str, Any]) -> Slot:
    """Return the slot that an item holds; of one that cannot be read what must not be lost."""
    try:
        return slot_of(item)
    except InvalidMessage as error:
        return Slot(
            number=int(item["pk"]["S"].rpartition("#")[2]),
            epoch=_at_least(item.get("epoch")),
            fence=_at_least(item.get("fence")),
            unreadable=str(error),
        )


def lease_key(fleet: str) -> Item:
    """The key of a fleet's lease."""
    return {"pk": text(f"lease#{fleet}")}


def lease_item(fleet: str, lease: Lease) -> Item:
    """A lease as it is stored."""
    return {
        **lease_key(fleet),
        "owner": text(lease.owner),
        "fence": number(lease.fence),
        "expires_at": number(lease.expires),  # `expires` is what TTL removes items by
        "renewal": number(lease.renewal),
        **({} if lease.seconds is None else {"seconds": number(lease.seconds)}),
    }


def lease_of(item: Mapping[str, Any]) -> Lease:
    """Return the lease that an item holds; one that cannot be read is nobody's, and has no end."""
    owner, fence, expires = item.get("owner", {}), item.get("fence", {}), item.get("expires_at", {})
    readable = "S" in owner and "N" in fence and "N" in expires
    seconds = item.get("seconds", {})
    return Lease(
        owner=owner["S"] if readable else "",
        fence=_at_least(fence),
        expires=float(expires["N"]) if readable else math.inf,
        renewal=_at_least(item.get("renewal")),
        seconds=float(seconds["N"]) if "N" in seconds else None,
        unreadable=not readable,
    )


def _at_least(attribute: Mapping[str, Any] | None) -> int:
    """Return a whole number that is not below a stored one; 0 where it is no number."""
    if attribute is None or "N" not in attribute:
        return 0
    return math.ceil(float(attribute["N"]))
