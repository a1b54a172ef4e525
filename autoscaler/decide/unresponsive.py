"""Select running instances that no longer send heartbeats, so that they can be stopped.

Workers stop their own machines.  This is for machines whose worker cannot: it never started, it
hangs, or the machine hangs in its shutdown.  An instance with a fresh heartbeat is never selected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from autoscaler.decide.failures import FORCE, NONE, STOP, TERMINATE
from autoscaler.decide.launch_intents import since
from autoscaler.decide.model import Stop
from gridwell.fleet.model import InstanceState
from gridwell.fleet.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.decide.failures import FailureMemory
    from autoscaler.decide.model import Policy, Snapshot
    from gridwell.fleet.model import Heartbeat, Instance, Slot

STOPS: Final = 3  #: so many tries to stop an instance come before its termination


def orphan(
    instance: Instance,
    heartbeats: Mapping[str, Heartbeat],
    slots: Mapping[int, Slot],
    *,
    now: float,
    policy: Policy,
    failures: FailureMemory = NONE,
) -> Stop | None:
    """Return the way to stop an unresponsive instance; None: it works, or may.

    An instance that EC2 does not stop is terminated, in turn with further tries to stop it.

    Args:
        instance: as EC2 shows it.
        heartbeats: by ARN, read after or with the instance.
        slots: by number.
        now: the time.
        policy: the grace of a boot and of a silence, and the patience with a shutdown.
        failures: what is remembered of earlier tries.
    """
    if instance.state.is_on:
        # Any heartbeat that changes is a sign of life, whichever boot it may be of.
        beat = heartbeats.get(instance.arn)
        started = since(instance, slots)
        last = started if beat is None else max(started, beat.at)
        silent = now - last > policy.boot_grace_seconds
        return (
            Stop(instance=instance.id, terminate=_end(instance, failures, now=now, policy=policy))
            if silent
            else None
        )
    slot = slots.get(instance.slot) if instance.slot is not None else None
    if instance.state is not InstanceState.STOPPING or slot is None:
        return None
    if slot.stopping_since is None or now - slot.stopping_since <= policy.force_stop_seconds:
        return None
    end = _end(instance, failures, now=now, policy=policy)
    return Stop(instance=instance.id, force=not end, terminate=end)


def orphans(snapshot: Snapshot, policy: Policy, failures: FailureMemory = NONE) -> tuple[Stop, ...]:
    """Return the instances to stop, forced stops first; none while a read failed.

    Those with earlier failures wait, and come after the others.
    """
    if snapshot.unknown:
        return ()
    slots = {slot.number: slot for slot in snapshot.slots}
    now = snapshot.taken_at
    found = [
        orphan(instance, snapshot.heartbeats, slots, now=now, policy=policy, failures=failures)
        for instance in snapshot.instances
    ]
    stops = [
        stop
        for stop in found
        if stop is not None and failures.is_ready(action_of(stop), stop.instance, now)
    ]
    stops.sort(key=lambda stop: (failures.last(action_of(stop), stop.instance), not stop.force))
    return tuple(stops[: policy.stop_per_tick])


def action_of(stop: Stop) -> str:
    """Return the action under which a stop's failures are recorded."""
    if stop.terminate:
        return TERMINATE
    return FORCE if stop.force else STOP


def _end(instance: Instance, failures: FailureMemory, *, now: float, policy: Policy) -> bool:
    """Return whether it is to be terminated, as EC2 does not stop it.

    It never stops one that is pending: a single refusal says so.  Where it agreed, or gave no
    answer, what it shows may only be late.
    """
    action = FORCE if instance.state is InstanceState.STOPPING else STOP
    tried = failures.get(action, instance.id)
    if tried is None:
        return False
    if tried.cause == Cause.NO:
        enough = tried.denials >= (1 if instance.state is InstanceState.PENDING else STOPS)
    else:
        enough = tried.count >= STOPS and now - tried.since > policy.force_stop_seconds
    # In turns: what stood against one of the two may have gone.
    return enough and failures.last(TERMINATE, instance.id) <= tried.at
