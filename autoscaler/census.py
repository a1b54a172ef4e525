"""Who counts: the fleet of a snapshot, sorted by what may be expected of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.boots import is_broken, ready_at
from autoscaler.intents import Intent, beat_of, intent_of, since
from autoscaler.model import Policy, Read, Snapshot, Start
from autoscaler.offers import refusals
from gridwell.domain.fleet import Instance, InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_ON = (InstanceState.PENDING, InstanceState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """The counts and limits that every rule decides by."""

    cap: int  #: the policy's, or the operator's where that is lower
    held: str  #: why nothing may be started or launched; empty: it may
    running: int  #: alive, and taking work
    booting: int  #: pending, or started and not shown so yet, within their grace
    silent: int  #: on, and of no use: draining, or past their grace without a sign of life
    stopping: int  #: never capacity, always in their slot
    leaving: int  #: shutting down
    stopped: int
    answered: int  #: launches whose instance EC2 named and does not show yet
    unanswered: int  #: launches of which nobody knows whether there is an instance
    standing: int  #: all that EC2 shows and is not terminated, and the answered launches
    startable: tuple[Start, ...]  #: the best first
    stale: tuple[str, ...]  #: stopped instances of another release
    broken: tuple[str, ...]  #: stopped instances that do not boot
    condemned: tuple[str, ...]  #: stopped instances that were given up before
    retries: tuple[int, ...]  #: slots of unanswered launches that may be asked again now
    free: tuple[int, ...]  #: slots in which nothing is or may be, and that may be tried now

    @property
    def capacity(self) -> int:
        """Instances at work or on their way."""
        return self.running + self.booting


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
    stopped = [i for i in snapshot.instances if i.state is InstanceState.STOPPED]
    asked = [i for i in stopped if _is_on_its_way(i, snapshot, policy, slots)]
    return Census(
        cap=cap_of(snapshot, policy),
        held=_held(snapshot),
        running=able[InstanceState.RUNNING],
        booting=able[InstanceState.PENDING]
        + len(asked)
        + sum(_in_grace(slot.started_at or 0.0, snapshot, policy) for slot in answered),
        silent=sum(states[state] for state in _ON) - able.total(),
        stopping=states[InstanceState.STOPPING],
        leaving=states[InstanceState.SHUTTING_DOWN],
        stopped=states[InstanceState.STOPPED] - len(asked),
        answered=len(answered),
        unanswered=len(unanswered),
        standing=shown + len(answered),
        startable=_startable(stopped, snapshot, policy, slots),
        stale=_stale(stopped, snapshot.release),
        broken=_those(stopped, slots, lambda slot, one: is_broken(slot, one, policy)),
        condemned=_those(stopped, slots, lambda slot, one: slot.condemned == one.id),
        retries=_ready(_askable(unanswered, slots, snapshot, policy), slots, snapshot),
        free=_ready(_free(snapshot, policy, intents), slots, snapshot),
    )


def cap_of(snapshot: Snapshot, policy: Policy) -> int:
    """The cap in force: the policy's, or the operator's where that is lower."""
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
    beat = beat_of(instance, snapshot.heartbeats, slots)
    if beat is not None and beat.draining:
        return False  # it takes no more, and is about to switch itself off
    if _in_grace(since(instance, slots), snapshot, policy):
        return True
    if Read.HEARTBEATS in snapshot.unknown:
        return True  # a table that cannot be read must not look like a dead fleet
    return beat is not None and snapshot.taken_at - beat.at <= policy.heartbeat_seconds


def _is_on_its_way(
    instance: Instance, snapshot: Snapshot, policy: Policy, slots: Mapping[int, Slot]
) -> bool:
    """Whether EC2 agreed to start this stopped instance so lately that it may not show it yet.

    A start that falls back to stopped looks the same.  It is no capacity in either case for
    longer than EC2 may lag, and is not started again meanwhile.
    """
    slot = None if instance.slot is None else slots.get(instance.slot)
    return (
        slot is not None
        and slot.unproven
        and slot.instance == instance.id
        and slot.started_at is not None
        and snapshot.taken_at - slot.started_at <= policy.lag_seconds
    )


def _startable(
    stopped: Iterable[Instance], snapshot: Snapshot, policy: Policy, slots: Mapping[int, Slot]
) -> tuple[Start, ...]:
    """Stopped instances that may be started now, the least recently failed first.

    That order lets no dead machine block the others.  Those whose type and zone had no capacity
    of late come last.
    """
    short = refusals(snapshot.slots, now=snapshot.taken_at)
    candidates = []
    for instance in stopped:
        slot = None if instance.slot is None else slots.get(instance.slot)
        if (
            instance.release != snapshot.release
            or slot is None
            or slot.condemned == instance.id
            or is_broken(slot, instance, policy)
            or _is_on_its_way(instance, snapshot, policy, slots)
        ):
            continue
        ready = ready_at(slot, snapshot.release)
        if ready <= snapshot.taken_at:
            start = Start(instance=instance.id, slot=slot.number)
            candidates.append((instance.offer in short, ready, slot.number, instance.id, start))
    return tuple(start for *_, start in sorted(candidates, key=lambda item: item[:4]))


def _those(
    stopped: Iterable[Instance],
    slots: Mapping[int, Slot],
    holds: Callable[[Slot, Instance], bool],
) -> tuple[str, ...]:
    """Stopped instances of which something holds, by what their slot remembers."""
    return tuple(
        instance.id
        for instance in stopped
        if instance.slot is not None
        and instance.slot in slots
        and holds(slots[instance.slot], instance)
    )


def _stale(stopped: Iterable[Instance], release: str | None) -> tuple[str, ...]:
    """Stopped instances of another release; none while it is not known which one is ours."""
    if release is None:
        return ()
    return tuple(instance.id for instance in stopped if instance.release != release)


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


def _ready(numbers: list[int], slots: Mapping[int, Slot], snapshot: Snapshot) -> tuple[int, ...]:
    """Slots that may be tried now, the least recently failed first."""
    pauses = {
        number: ready_at(slots.get(number) or Slot(number=number), snapshot.release)
        for number in sorted(numbers)
    }
    ready = [number for number in pauses if pauses[number] <= snapshot.taken_at]
    return tuple(sorted(ready, key=lambda number: pauses[number]))
