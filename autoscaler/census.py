"""Who counts: the fleet of a snapshot, sorted by what may be expected of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.intents import Intent, intent_of
from autoscaler.model import Policy, Read, Snapshot, Start
from gridwell.domain.fleet import Heartbeat, Instance, InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Mapping

_ON = (InstanceState.PENDING, InstanceState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """The counts and limits that every rule decides by."""

    cap: int  #: the policy's, or the operator's where that is lower
    held: str  #: why nothing may be started or launched; empty: it may
    running: int  #: alive, and taking work
    booting: int  #: pending, or named by EC2 and not shown yet, within their grace
    silent: int  #: on, and of no use: draining, or past their grace without a sign of life
    stopping: int  #: never capacity, always in their slot
    leaving: int  #: shutting down
    stopped: int
    answered: int  #: launches whose instance EC2 named and does not show yet
    unanswered: int  #: launches of which nobody knows whether there is an instance
    standing: int  #: all that EC2 shows and is not terminated, and the answered launches
    startable: tuple[Start, ...]  #: the best first
    stale: tuple[str, ...]  #: stopped instances of another release
    retries: tuple[int, ...]  #: slots of unanswered launches that may be asked again now
    free: tuple[int, ...]  #: slots in which nothing is or may be, and that may be tried now

    @property
    def capacity(self) -> int:
        """Instances at work or on their way."""
        return self.running + self.booting


def since(instance: Instance, slots: Mapping[int, Slot]) -> float:
    """When an instance was last started: the later of what EC2 says and what we did.

    EC2 renews LaunchTime at every start, yet not everywhere, and a restarted machine must not be
    judged by its earlier life.
    """
    slot = slots.get(instance.slot) if instance.slot is not None else None
    if slot is None or slot.started_at is None or slot.instance not in (None, instance.id):
        return instance.launched
    return max(instance.launched, slot.started_at)


def beat_of(instance: Instance, snapshot: Snapshot, slots: Mapping[int, Slot]) -> Heartbeat | None:
    """An instance's last sign of life, unless it is of an earlier life."""
    beat = snapshot.heartbeats.get(instance.arn)
    return None if beat is None or beat.at < since(instance, slots) else beat


def take_census(snapshot: Snapshot, policy: Policy) -> Census:
    """Sort a snapshot's instances, slots and intents."""
    slots = {slot.number: slot for slot in snapshot.slots}
    states = Counter(instance.state for instance in snapshot.instances)
    able = Counter(
        instance.state
        for instance in snapshot.instances
        if instance.state in _ON and _able(instance, snapshot, policy, slots)
    )
    intents = {slot.number: _intent(slot, snapshot, policy) for slot in snapshot.slots}
    answered = [slots[n] for n, intent in intents.items() if intent is Intent.ANSWERED]
    unanswered = [number for number, i in intents.items() if i is Intent.UNANSWERED]
    shown = len(snapshot.instances) - states[InstanceState.TERMINATED]
    return Census(
        cap=_cap(snapshot, policy),
        held=_held(snapshot),
        running=able[InstanceState.RUNNING],
        booting=able[InstanceState.PENDING]
        + sum(_in_grace(slot.started_at or 0.0, snapshot, policy) for slot in answered),
        silent=sum(states[state] for state in _ON) - able.total(),
        stopping=states[InstanceState.STOPPING],
        leaving=states[InstanceState.SHUTTING_DOWN],
        stopped=states[InstanceState.STOPPED],
        answered=len(answered),
        unanswered=len(unanswered),
        standing=shown + len(answered),
        startable=_startable(snapshot, slots),
        stale=_stale(snapshot),
        retries=_ready(_askable(unanswered, slots, snapshot, policy), slots, snapshot.taken_at),
        free=_ready(_free(snapshot, policy, intents), slots, snapshot.taken_at),
    )


def _cap(snapshot: Snapshot, policy: Policy) -> int:
    given = snapshot.control.cap
    return policy.max_instances if given is None else max(0, min(given, policy.max_instances))


def _held(snapshot: Snapshot) -> str:
    if snapshot.control.paused:
        return "paused by the operator"
    return "" if snapshot.release is not None else "there is no image to launch, bake one"


def _intent(slot: Slot, snapshot: Snapshot, policy: Policy) -> Intent:
    return intent_of(
        slot, snapshot.instances, now=snapshot.taken_at, intent_seconds=policy.intent_seconds
    )


def _in_grace(started: float, snapshot: Snapshot, policy: Policy) -> bool:
    return snapshot.taken_at - started <= policy.boot_grace_seconds


def _able(
    instance: Instance, snapshot: Snapshot, policy: Policy, slots: Mapping[int, Slot]
) -> bool:
    """Whether an instance that is on will take chunks, or may be expected to soon."""
    beat = beat_of(instance, snapshot, slots)
    if beat is not None and beat.draining:
        return False  # it takes no more, and is about to switch itself off
    if _in_grace(since(instance, slots), snapshot, policy):
        return True
    if Read.HEARTBEATS in snapshot.unknown:
        return True  # a table that cannot be read must not look like a dead fleet
    # Place of R6: what is silent past its grace is to be stopped (orphaned or hung); for now it
    # only does not count, and its systemd watchdog switches it off.
    return beat is not None and snapshot.taken_at - beat.at <= policy.heartbeat_seconds


def _startable(snapshot: Snapshot, slots: Mapping[int, Slot]) -> tuple[Start, ...]:
    """Stopped instances that may be started now, the least recently failed first.

    That order lets no dead machine block the others, and lets a start that EC2 does not show yet
    be repeated, which does nothing, instead of followed by the start of another one.
    """
    candidates = []
    for instance in snapshot.instances:
        slot = None if instance.slot is None else slots.get(instance.slot)
        if (
            instance.state is InstanceState.STOPPED
            and instance.release == snapshot.release
            and slot is not None
            and slot.not_before <= snapshot.taken_at
        ):
            candidates.append((slot.not_before, slot.number, instance.id))
    # Place of the quarantine: machines that boot again and again without a sign of life.
    return tuple(Start(instance=name, slot=number) for _, number, name in sorted(candidates))


def _stale(snapshot: Snapshot) -> tuple[str, ...]:
    """Stopped instances of another release; none while it is not known which one is ours."""
    if snapshot.release is None:
        return ()
    return tuple(
        instance.id
        for instance in snapshot.instances
        if instance.state is InstanceState.STOPPED and instance.release != snapshot.release
    )


def _free(snapshot: Snapshot, policy: Policy, intents: Mapping[int, Intent]) -> list[int]:
    """Slots in which no instance is or may be: two in one slot never happen."""
    alive = [i for i in snapshot.instances if i.state is not InstanceState.TERMINATED]
    names = {instance.id for instance in alive}
    # By the tag, and by the ledger: a tag that somebody removed frees no place.
    taken = {instance.slot for instance in alive}
    taken |= {slot.number for slot in snapshot.slots if slot.instance in names}
    return [
        number
        for number in range(policy.max_instances)
        if number not in taken and intents.get(number, Intent.NONE) is Intent.NONE
    ]


def _askable(
    numbers: list[int], slots: Mapping[int, Slot], snapshot: Snapshot, policy: Policy
) -> list[int]:
    """Slots whose token may be asked again, of those whose launch is unanswered."""
    now = snapshot.taken_at
    return [n for n in numbers if now - (slots[n].started_at or 0.0) <= policy.ask_seconds]


def _ready(numbers: list[int], slots: Mapping[int, Slot], now: float) -> tuple[int, ...]:
    """Slots that may be tried now, the least recently failed first."""
    pauses = {
        number: slots[number].not_before if number in slots else 0.0 for number in sorted(numbers)
    }
    ready = [number for number in pauses if pauses[number] <= now]
    return tuple(sorted(ready, key=lambda number: pauses[number]))
