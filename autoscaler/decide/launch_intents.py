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

from gridwell.fleet.model import Instance, InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gridwell.fleet.model import Heartbeat

_FIRST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 60.0


class Intent(enum.Enum):
    """The state of a slot's last launch."""

    NONE = "none"  #: its instance was seen, or it is too old to wait for
    UNANSWERED = "unanswered"  #: whether there is an instance is unknown: ask again
    ANSWERED = "answered"  #: EC2 named an instance, and does not show it yet


def launch_token(fleet: str, slot: int, epoch: int) -> str:
    """Return the token of a launch: a repeated launch asks for the same instance."""
    return hashlib.sha256(f"{fleet}/{slot}/{epoch}".encode()).hexdigest()[:32]


def jitter(*facts: int) -> float:
    """Return a number in [0, 1) that differs by slot and is the same in every process.

    Slots that failed together are then not retried together.
    """
    digest = hashlib.sha256("/".join(map(str, facts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def retry_pause(failures: int, part: float) -> float:
    """Return the seconds until the next try after some failures in a row.

    Args:
        failures: at least 1.
        part: jitter, in [0, 1): up to a half of the pause is left out by it.
    """
    pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
    return pause * (1.0 - 0.5 * part)


def since(instance: Instance, slots: Mapping[int, Slot]) -> float:
    """When an instance was last started: the later of what EC2 says and what we did.

    EC2 renews LaunchTime at every start, yet not everywhere, and a restarted machine must not be
    judged by its earlier life.
    """
    return max(launched_at(instance), _started_at(instance, slots))


def launched_at(instance: Instance) -> float:
    """When an instance's LaunchTime began to hold, by the clock that looks at it."""
    return instance.launched if instance.observed_at is None else instance.observed_at


def shown_since(instance: Instance, slots: Mapping[int, Slot]) -> float:
    """When an instance was last started, for people: by the clock of EC2, or ours if later."""
    return max(instance.launched, _started_at(instance, slots))


def _started_at(instance: Instance, slots: Mapping[int, Slot]) -> float:
    slot = slots.get(instance.slot) if instance.slot is not None else None
    if slot is None or slot.started_at is None or slot.instance not in (None, instance.id):
        return float("-inf")
    return slot.started_at


def beat_of(
    instance: Instance, heartbeats: Mapping[str, Heartbeat], slots: Mapping[int, Slot]
) -> Heartbeat | None:
    """Return an instance's last heartbeat, unless it is older than the last start.

    A heartbeat with the mark of the last one before the start is older, whenever it was seen.
    """
    beat = heartbeats.get(instance.arn)
    if beat is None:
        return None
    slot = slots.get(instance.slot) if instance.slot is not None else None
    if slot is None or slot.heard is None or slot.instance != instance.id:
        return None if beat.at < since(instance, slots) else beat
    return None if beat.mark == slot.heard or beat.at < launched_at(instance) else beat


def intent_of(
    slot: Slot, instances: Iterable[Instance], *, now: float, intent_seconds: float
) -> Intent:
    """Return the state of a slot's last launch.

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
    slots: Sequence[Slot], instances: Iterable[Instance], *, now: float, lag_seconds: float = 0.0
) -> tuple[Slot, ...]:
    """Return the slots with what EC2 shows: whether their instances exist, and since when off.

    An instance without a slot in the ledger gets one: a restored or emptied table recovers.

    Args:
        slots: as the ledger has them.
        instances: all that EC2 shows, with the slots that `autoscaler.decide.slot_assignment`
            found.
        now: the time of the observation.
        lag_seconds: how late EC2 may show an instance: one that was started since then may be
            shown as it was before, and such a stop is not the one to count from.

    Returns:
        All slots, by number.
    """
    known = {slot.number: slot for slot in slots}
    by_token = {i.token: i.id for i in instances if i.token is not None}
    tokens = {i.id: i.token for i in instances}
    for number, slot in known.items():
        name = None if slot.token is None else by_token.get(slot.token)
        own = slot.instance is not None and tokens.get(slot.instance) == slot.token
        if name is not None and name != slot.instance and not own:
            known[number] = replace(slot, instance=name, unproven=True)
    residents = {
        i.slot: i
        for i in instances
        if i.slot is not None and i.state is not InstanceState.TERMINATED
    }
    for number, resident in residents.items():
        slot = known.get(number) or Slot(number=number, instance=resident.id)
        if slot.unreadable:
            continue
        stopped = resident.state is InstanceState.STOPPED
        if slot.started_at is not None and now - slot.started_at < lag_seconds:
            stopped = False
        # Our own first sight, as EC2 tells the moment of a stop only in a sentence for people.
        stopping = resident.state is InstanceState.STOPPING
        leaving = resident.state is InstanceState.SHUTTING_DOWN
        stopping_since = _first_sight(slot.stopping_since, now, is_so=stopping)
        stopped_since = _first_sight(slot.stopped_since, now, is_so=stopped)
        leaving_since = _first_sight(slot.leaving_since, now, is_so=leaving)
        before = (slot.stopping_since, slot.stopped_since, slot.leaving_since)
        if (stopping_since, stopped_since, leaving_since) != before:
            slot = replace(
                slot,
                stopping_since=stopping_since,
                stopped_since=stopped_since,
                leaving_since=leaving_since,
            )
        known[number] = slot
    return tuple(known[number] for number in sorted(known))


def _first_sight(before: float | None, now: float, *, is_so: bool) -> float | None:
    return (now if before is None else before) if is_so else None
