"""Instances that are on, cost money, and of which nothing is to be expected any more.  Pure.

A worker shrinks the fleet; this is for the machines whose worker cannot: it never came up, it
hangs, or the machine hangs in its shutdown.  An instance with a fresh heartbeat is none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from autoscaler.intents import since
from autoscaler.model import Stop
from gridwell.domain.fleet import InstanceState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.model import Policy, Snapshot
    from gridwell.domain.fleet import Heartbeat, Instance, Slot

_ON: Final = (InstanceState.PENDING, InstanceState.RUNNING)


def orphan(
    instance: Instance,
    heartbeats: Mapping[str, Heartbeat],
    slots: Mapping[int, Slot],
    *,
    now: float,
    policy: Policy,
) -> Stop | None:
    """How to stop an instance that is of no use; None: it is of use, or may be.

    Args:
        instance: as EC2 shows it.
        heartbeats: by ARN, read after or with the instance.
        slots: by number.
        now: the time.
        policy: the grace of a boot and of a silence, and the patience with a shutdown.
    """
    if instance.state in _ON:
        # Any heartbeat that changes is a sign of life, whichever boot it may be of.
        beat = heartbeats.get(instance.arn)
        started = since(instance, slots)
        last = started if beat is None else max(started, beat.at)
        silent = now - last > policy.boot_grace_seconds
        return Stop(instance=instance.id) if silent else None
    slot = slots.get(instance.slot) if instance.slot is not None else None
    if instance.state is not InstanceState.STOPPING or slot is None:
        return None
    if slot.stopping_since is None or now - slot.stopping_since <= policy.force_stop_seconds:
        return None
    return Stop(instance=instance.id, force=True)


def orphans(snapshot: Snapshot, policy: Policy) -> tuple[Stop, ...]:
    """The instances to stop, those by force first; none while anything could not be read."""
    if snapshot.unknown:
        return ()
    slots = {slot.number: slot for slot in snapshot.slots}
    found = [
        orphan(instance, snapshot.heartbeats, slots, now=snapshot.taken_at, policy=policy)
        for instance in snapshot.instances
    ]
    stops = sorted((stop for stop in found if stop is not None), key=lambda stop: not stop.force)
    return tuple(stops[: policy.stop_per_tick])
