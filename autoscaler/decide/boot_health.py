"""Outcomes of boots: proved by a heartbeat, or failed, and the consequences of failures.

A machine that boots without a heartbeat is started again.  After three such boots in a row it is
replaced by a new one.  If new ones send no heartbeat either, the release is broken: then one boot
at a time is tried, with growing pauses, until one succeeds or a new release appears.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from autoscaler.decide.failures import NONE
from autoscaler.decide.launch_intents import beat_of, jitter, launched_at, retry_pause
from autoscaler.decide.offerings import refused
from gridwell.fleet.model import InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.decide.failures import FailureMemory
    from autoscaler.decide.model import Policy, Snapshot
    from gridwell.fleet.model import Heartbeat, Instance, Offering

_FIRST_PAUSE_SECONDS: Final = 15.0
_LONGEST_PAUSE_SECONDS: Final = 900.0
_OFF: Final = (InstanceState.STOPPED, InstanceState.TERMINATED)
_NO_ROOM: Final = "Server.Insufficient"  #: a start that EC2 agreed to and then had no room for


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A release whose boots fail wherever they are tried."""

    row: int  #: failed boots in a row, over all slots
    wait: float  #: seconds until the next one may be tried
    tried: bool  #: whether a boot is being tried, of which nobody knows yet
    mute: tuple[Offering, ...] = ()  #: offers that these boots were by, as far as they are known
    untried: tuple[Offering, ...] = ()  #: offers of which no boot has failed


def boot_pause(row: int) -> float:
    """Return the seconds between a failed boot and the next one, by failures in a row."""
    return min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(row - 1, 20))


def begun(slot: Slot, *, release: str | None, now: float, heard: str | None = "") -> Slot:
    """Return a slot whose instance is about to be started or launched with a release.

    Args:
        slot: as it is.
        release: that it is to run.
        now: the time.
        heard: the mark of the instance's last heartbeat; empty: there was none; None: unknown.
    """
    if slot.release != release:
        slot = replace(slot, release=release, failed_boots=0, failed_at=None, proven_at=None)
    return replace(
        slot,
        started_at=now,
        stopped_since=None,
        stopping_since=None,
        unproven=False,
        heard=heard,
    )


def judge(
    slots: Sequence[Slot],
    instances: Sequence[Instance],
    heartbeats: Mapping[str, Heartbeat],
    *,
    now: float,
    policy: Policy,
) -> tuple[Slot, ...]:
    """Return the slots with the outcomes of their last boots.

    Args:
        slots: brought up to date by `remember`.
        instances: all that EC2 shows.
        heartbeats: by ARN, of all instances whose boot is unproven.
        now: the time.
        policy: how late EC2 may show an instance.
    """
    shown = {instance.id: instance for instance in instances}
    numbered = {slot.number: slot for slot in slots}

    def judged(slot: Slot) -> Slot:
        if not slot.unproven or slot.instance is None or slot.started_at is None:
            return slot
        instance = shown.get(slot.instance)
        age = now - slot.started_at
        if instance is None:
            # Nobody can tell any more what became of it.
            return replace(slot, unproven=False) if age > policy.intent_seconds else slot
        if beat_of(instance, heartbeats, numbered) is not None:
            return proven(slot, now=now)
        ended = instance.state is InstanceState.TERMINATED
        # What was started a moment ago may be on though EC2 still shows it as stopped; unless what
        # it shows is of this start, by its LaunchTime of whole seconds.
        late = age > policy.lag_seconds or launched_at(instance) >= int(slot.started_at)
        ended |= instance.state is InstanceState.STOPPED and late
        if not ended:
            return slot
        if instance.reason.startswith(_NO_ROOM):
            return failed(refused(slot, instance.offer, now=now), now=now)
        row = slot.failed_boots + 1
        return replace(slot, unproven=False, failed_boots=row, failed_at=now)

    return tuple(judged(slot) for slot in slots)


def proven(slot: Slot, *, now: float) -> Slot:
    """Return a slot after a successful boot: all its failures are cleared."""
    return replace(
        slot,
        unproven=False,
        failures=0,
        not_before=0.0,
        failed_boots=0,
        failed_at=None,
        proven_at=now,
    )


def failed(slot: Slot, *, now: float) -> Slot:
    """Return a slot after a refused start or launch: it pauses, longer each time."""
    failures = slot.failures + 1
    pause = retry_pause(failures, jitter(slot.number, slot.epoch, failures))
    return replace(slot, failures=failures, not_before=now + pause, unproven=False)


def ready_at(slot: Slot, release: str | None) -> float:
    """Return the time from which a slot may be tried again, by its own failures."""
    if not slot.failed_boots or slot.failed_at is None or slot.release != release:
        return slot.not_before
    part = jitter(slot.number, slot.epoch, slot.failed_boots)
    pause = boot_pause(slot.failed_boots) * (1.0 + 0.25 * part)
    return max(slot.not_before, slot.failed_at + pause)


def is_broken(slot: Slot, instance: Instance, policy: Policy) -> bool:
    """Return True if an instance is given up: it boots again and again without a heartbeat."""
    own = slot.instance == instance.id and slot.release == instance.release
    return own and slot.failed_boots >= policy.quarantine_boots


def distrust_of(
    snapshot: Snapshot, policy: Policy, failures: FailureMemory = NONE
) -> Quarantine | None:
    """Return the quarantine of the release that a boot would run; None: there is none.

    An offering without a failed boot is tried first: a subnet without a route looks the same as
    a release that does not boot.
    """
    slots = [slot for slot in snapshot.slots if slot.release == snapshot.release]
    good = max((s.proven_at for s in slots if s.proven_at is not None), default=float("-inf"))
    bad = {s.number: s.failed_at for s in slots if s.failed_at is not None and s.failed_at > good}
    row = sum(slot.failed_boots for slot in slots if slot.number in bad)
    if row < policy.quarantine_boots or _speaks(snapshot, policy):
        return None
    until = max(bad.values()) + boot_pause(row)
    mute = tuple(o for o in policy.offers if failures.boots_failed(o, snapshot.release))
    untried = tuple(o for o in policy.offers if o not in mute) if mute else ()
    return Quarantine(
        row=row,
        wait=0.0 if untried else max(0.0, until - snapshot.taken_at),
        tried=any(slot.unproven for slot in slots),
        mute=mute,
        untried=untried,
    )


def _speaks(snapshot: Snapshot, policy: Policy) -> bool:
    """Return True if an instance of this release sends heartbeats."""
    slots = {slot.number: slot for slot in snapshot.slots}
    oldest = snapshot.taken_at - policy.heartbeat_seconds
    beats = (
        beat_of(instance, snapshot.heartbeats, slots)
        for instance in snapshot.instances
        if instance.state.is_on and instance.release == snapshot.release
    )
    return any(beat is not None and beat.at >= oldest for beat in beats)
