"""Intents: launches that the ledger knows of and EC2 does not show yet.

An intent is written to its slot before EC2 is called.  So whatever is lost after that (the call,
its reply, the daemon) the place stays taken until the instance is seen, and the same token asked
again gives the same instance instead of a second one.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gridwell.domain.fleet import Instance, InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FIRST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 60.0


class Intent(enum.Enum):
    """How far a slot's last launch has come."""

    NONE = "none"  #: its instance was seen, or it is too old to wait for
    UNANSWERED = "unanswered"  #: whether there is an instance is unknown: ask again
    ANSWERED = "answered"  #: EC2 named an instance, and does not show it yet


def launch_token(fleet: str, slot: int, epoch: int) -> str:
    """The token of a launch: whoever repeats the launch asks for the same instance."""
    return hashlib.sha256(f"{fleet}/{slot}/{epoch}".encode()).hexdigest()[:32]


def retry_pause(failures: int) -> float:
    """Seconds until the next try after so many failures in a row.

    There is no jitter: one daemon asks, and each slot counts its own failures.
    """
    return min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))


def intent_of(
    slot: Slot, instances: Iterable[Instance], *, now: float, intent_seconds: float
) -> Intent:
    """How far a slot's last launch has come.

    Args:
        slot: as the ledger has it.
        instances: all that EC2 shows, the terminated ones too: they were seen.
        now: the time.
        intent_seconds: how long to wait for an instance to be seen.
    """
    if slot.token is None or slot.started_at is None or now - slot.started_at > intent_seconds:
        return Intent.NONE
    if any(i.token == slot.token or i.id == slot.instance for i in instances):
        return Intent.NONE
    return Intent.UNANSWERED if slot.instance is None else Intent.ANSWERED


def remember(
    slots: Sequence[Slot], instances: Iterable[Instance], *, now: float
) -> tuple[Slot, ...]:
    """The slots with what a look at EC2 adds: whose instance answered, since when it is stopped.

    A place that is taken and not in the ledger gets a slot: a restored or emptied table heals.

    Args:
        slots: as the ledger has them.
        instances: all that EC2 shows.
        now: the time of the look.

    Returns:
        All slots, by number.
    """
    known = {slot.number: slot for slot in slots}
    by_token = {i.token: i.id for i in instances if i.token is not None}
    for number, slot in known.items():
        if slot.token in by_token:
            known[number] = replace(slot, instance=by_token[slot.token])
    residents = {
        i.slot: i
        for i in instances
        if i.slot is not None and i.state is not InstanceState.TERMINATED
    }
    for number, resident in residents.items():
        slot = known.get(number, Slot(number=number, instance=resident.id))
        # Our own first sight, as EC2 tells the moment of a stop only in a sentence for people.
        since = None
        if resident.state is InstanceState.STOPPED:
            since = now if slot.stopped_since is None else slot.stopped_since
        known[number] = replace(slot, stopped_since=since)
    return tuple(known[number] for number in sorted(known))
