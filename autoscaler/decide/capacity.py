"""Classify the instances of a snapshot: usable, booting, unresponsive, startable."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.decide.boot_health import is_broken, ready_at
from autoscaler.decide.failures import NONE, TERMINATE
from autoscaler.decide.fitness import is_unfit, spoilt
from autoscaler.decide.launch_intents import Intent, beat_of, intent_of, since
from autoscaler.decide.model import Policy, Read, Snapshot, Start
from autoscaler.decide.offerings import Choice, refusals
from autoscaler.decide.slot_assignment import PLACES
from autoscaler.decide.unusable import hopeless, uncounted
from gridwell.fleet.model import ON, Instance, InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from autoscaler.decide.failures import FailureMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Counts and limits on which every rule decides."""

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
    standing: int  #: all that EC2 shows and counts, and the answered launches
    uncounted: tuple[str, ...]  #: left out of the cap: off, and EC2 neither starts nor ends them
    startable: tuple[Start, ...]  #: the best first
    doubtful: tuple[Start, ...]  #: those that may be tried and are not expected to start
    hopeless: tuple[Instance, ...]  #: stopped ones that are not expected to start
    stale: tuple[str, ...]  #: stopped instances of another release
    broken: tuple[str, ...]  #: stopped instances that do not boot
    condemned: tuple[str, ...]  #: stopped instances that were given up before
    retries: tuple[int, ...]  #: slots of unanswered launches that may be asked again now
    free: tuple[int, ...]  #: slots in which nothing is or may be, and that may be tried now

    @property
    def capacity(self) -> int:
        """Instances at work or on their way."""
        return self.running + self.booting

    @property
    def room(self) -> int:
        """Places under the cap that no instance takes."""
        return self.cap - self.standing


def classify(
    snapshot: Snapshot,
    policy: Policy,
    failures: FailureMemory = NONE,
    choice: Choice | None = None,
) -> Capacity:
    """Sort a snapshot's instances, slots and intents.

    Args:
        snapshot: the world.
        policy: the operator's limits.
        failures: what is remembered.
        choice: the offers that a launch would have; None: the operator's.
    """
    choice = choice or Choice(offers=policy.offers)
    slots = {slot.number: slot for slot in snapshot.slots}
    states = Counter(instance.state for instance in snapshot.instances)
    able = Counter(
        instance.state
        for instance in snapshot.instances
        if instance.state.is_on and _able(instance, snapshot, policy, slots)
    )
    intents = {slot.number: _intent(slot, snapshot, policy) for slot in snapshot.slots}
    answered = [slots[n] for n, intent in intents.items() if intent is Intent.ANSWERED]
    unanswered = [number for number, i in intents.items() if i is Intent.UNANSWERED]
    shown = len(snapshot.instances) - states[InstanceState.TERMINATED]
    stopped = [i for i in snapshot.instances if i.state is InstanceState.STOPPED]
    asked = [i for i in stopped if _is_on_its_way(i, snapshot, policy, slots)]
    lost = tuple(
        one
        for one in stopped
        if hopeless(one, _slot(one, slots), failures, choice, snapshot=snapshot, policy=policy)
    )
    able_to_start = [i for i in stopped if _may_start(i, snapshot, policy, slots, failures)]
    hopeful = [i for i in able_to_start if i not in lost]
    left_out = uncounted(
        snapshot.instances,
        slots,
        failures,
        usable={i.id for i in (*hopeful, *asked)},
        now=snapshot.taken_at,
        policy=policy,
    )
    out = Counter(i.state for i in snapshot.instances if i.id in left_out)
    return Capacity(
        cap=cap_of(snapshot, policy),
        held=_held(snapshot),
        running=able[InstanceState.RUNNING],
        booting=able[InstanceState.PENDING]
        + len(asked)
        + sum(_in_grace(slot.started_at or 0.0, snapshot, policy) for slot in answered),
        silent=sum(states[state] for state in ON) - able.total(),
        stopping=states[InstanceState.STOPPING] - out[InstanceState.STOPPING],
        leaving=states[InstanceState.SHUTTING_DOWN] - out[InstanceState.SHUTTING_DOWN],
        stopped=states[InstanceState.STOPPED] - len(asked) - out[InstanceState.STOPPED],
        answered=len(answered),
        unanswered=len(unanswered),
        standing=shown
        + len(answered)
        + len(_hidden(snapshot, answered, places=_places(snapshot, policy, len(left_out))))
        - len(left_out),
        uncounted=left_out,
        startable=_startable(hopeful, snapshot, slots),
        doubtful=_startable(
            [i for i in able_to_start if i in lost and i.id not in left_out], snapshot, slots
        ),
        hopeless=tuple(one for one in lost if one.id not in left_out and one not in asked),
        stale=_stale(stopped, snapshot.release),
        broken=_those(stopped, slots, lambda slot, one: is_broken(slot, one, policy)),
        condemned=_those(stopped, slots, lambda slot, one: _is_condemned(slot, one, failures)),
        retries=_ready(_askable(unanswered, slots, snapshot, policy), slots, snapshot),
        free=_free_ready(snapshot, policy, intents, slots, extra=len(left_out)),
    )


def cap_of(snapshot: Snapshot, policy: Policy) -> int:
    """Return the cap in force: the policy's, or the operator's where that is lower."""
    given = snapshot.control.cap
    return policy.max_instances if given is None else max(0, min(given, policy.max_instances))


def _held(snapshot: Snapshot) -> str:
    if snapshot.control.paused and "paused" in snapshot.control.unreadable:
        return (
            "the operator's switch cannot be read, and may say paused: gridwell resume, or pause, "
            "writes it anew"
        )
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
    """Return True if an instance that is on takes chunks, or should soon."""
    beat = beat_of(instance, snapshot.heartbeats, slots)
    if instance.arn in snapshot.suspects or (beat is not None and beat.draining):
        return False  # it takes no more, and is about to switch itself off
    if _in_grace(since(instance, slots), snapshot, policy):
        return True
    if Read.HEARTBEATS in snapshot.unknown:
        return True  # a table that cannot be read must not look like a dead fleet
    return beat is not None and snapshot.taken_at - beat.at <= policy.heartbeat_seconds


def _is_on_its_way(
    instance: Instance, snapshot: Snapshot, policy: Policy, slots: Mapping[int, Slot]
) -> bool:
    """Return True if EC2 agreed so lately to start this instance that it may still show it stopped.

    A start that falls back to stopped looks the same.  In either case it counts as capacity no
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


def _slot(instance: Instance, slots: Mapping[int, Slot]) -> Slot | None:
    return None if instance.slot is None else slots.get(instance.slot)


def _is_condemned(slot: Slot, instance: Instance, failures: FailureMemory) -> bool:
    """Return whether an instance was given up, and EC2 did not refuse to terminate it since.

    After a refusal it may be started again: it may be all that there is.
    """
    return slot.condemned == instance.id and not failures.is_refused(TERMINATE, instance.id)


def _may_start(
    instance: Instance,
    snapshot: Snapshot,
    policy: Policy,
    slots: Mapping[int, Slot],
    failures: FailureMemory,
) -> bool:
    """Return whether a stopped instance may be started, once its pause is over."""
    slot = _slot(instance, slots)
    return not (
        instance.release != snapshot.release
        or slot is None
        or slot.unreadable
        or _is_condemned(slot, instance, failures)
        or is_broken(slot, instance, policy)
        or is_unfit(instance, snapshot)
        or _is_on_its_way(instance, snapshot, policy, slots)
    )


def _startable(
    candidates: Iterable[Instance], snapshot: Snapshot, slots: Mapping[int, Slot]
) -> tuple[Start, ...]:
    """Return the stopped instances that may be started now, the least recently failed first.

    In that order no dead machine blocks the others.  Those whose type and zone had no capacity
    of late come last.
    """
    short = refusals(snapshot.slots, now=snapshot.taken_at)
    found = []
    for instance in candidates:
        slot = _slot(instance, slots)
        ready = None if slot is None else ready_at(slot, snapshot.release)
        if slot is not None and ready is not None and ready <= snapshot.taken_at:
            start = Start(instance=instance.id, slot=slot.number)
            found.append((instance.offer in short, ready, slot.number, instance.id, start))
    return tuple(start for *_, start in sorted(found, key=lambda item: item[:4]))


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


def _hidden(snapshot: Snapshot, answered: Iterable[Slot], *, places: int) -> set[int]:
    """Return unreadable slots that may record a launch which EC2 does not show yet.

    Args:
        snapshot: the world.
        answered: slots whose launch was answered, which are counted already.
        places: slots from this number on are not launched in.
    """
    alive = [i for i in snapshot.instances if i.state is not InstanceState.TERMINATED]
    known = {i.slot for i in alive} | {slot.number for slot in answered}
    unreadable = {slot.number for slot in snapshot.slots if slot.unreadable}
    return {number for number in unreadable - known if number < places}


def _stale(stopped: Iterable[Instance], release: str | None) -> tuple[str, ...]:
    """Stopped instances of another release; none while it is not known which one is ours."""
    if release is None:
        return ()
    return tuple(instance.id for instance in stopped if instance.release != release)


def _places(snapshot: Snapshot, policy: Policy, uncounted: int) -> int:
    """Return how many slots there are.

    There are as many as the cap, and one more for each instance that the cap does not count.  An
    avoided slot, in which a machine was unfit, adds one too.
    """
    extra = uncounted + len(spoilt(snapshot.refusals))
    return min(PLACES, policy.max_instances + extra)


def _free(
    snapshot: Snapshot, policy: Policy, intents: Mapping[int, Intent], extra: int
) -> list[int]:
    """Return slots that hold no instance and cannot: there are never two in one slot.

    There are `_places` slots in all.
    """
    alive = [i for i in snapshot.instances if i.state is not InstanceState.TERMINATED]
    names = {instance.id for instance in alive}
    # By the tag, and by the ledger: a tag that somebody removed frees no place.
    taken = {instance.slot for instance in alive}
    taken |= {slot.number for slot in snapshot.slots if slot.instance in names or slot.unreadable}
    return [
        number
        for number in range(_places(snapshot, policy, extra))
        if number not in taken and intents.get(number, Intent.NONE) is Intent.NONE
    ]


def _free_ready(
    snapshot: Snapshot,
    policy: Policy,
    intents: Mapping[int, Intent],
    slots: Mapping[int, Slot],
    *,
    extra: int,
) -> tuple[int, ...]:
    """Free slots that may be tried now; those in which a machine was unfit come last."""
    avoided = spoilt(snapshot.refusals)
    free = _free(snapshot, policy, intents, extra)
    ready = _ready(free, slots, snapshot)
    return tuple(sorted(ready, key=lambda number: number in avoided))


def _askable(
    numbers: list[int], slots: Mapping[int, Slot], snapshot: Snapshot, policy: Policy
) -> list[int]:
    """Return slots with an unanswered launch whose token may be used again."""
    now = snapshot.taken_at
    return [n for n in numbers if now - (slots[n].started_at or 0.0) <= policy.ask_seconds]


def _ready(numbers: list[int], slots: Mapping[int, Slot], snapshot: Snapshot) -> tuple[int, ...]:
    """Return the slots that may be tried now, the least recently failed first."""
    pauses = {
        number: ready_at(slots.get(number) or Slot(number=number), snapshot.release)
        for number in sorted(numbers)
    }
    ready = [number for number in pauses if pauses[number] <= snapshot.taken_at]
    return tuple(sorted(ready, key=lambda number: pauses[number]))
