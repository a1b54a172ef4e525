"""Replace machines that exist and cannot become capacity.

A stopped machine that cannot be started occupies a place under the cap and serves no work.  While
work waits that no other machine can serve, such machines are terminated for new ones.  One that
EC2 does not terminate either is left out of the count: it computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from autoscaler.decide.failures import FORCE, START, TERMINATE, asked
from autoscaler.decide.offerings import others
from gridwell.fleet.model import InstanceState
from gridwell.fleet.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from autoscaler.decide.failures import FailureMemory
    from autoscaler.decide.model import Policy, Snapshot
    from autoscaler.decide.offerings import Choice
    from gridwell.fleet.model import Instance, Slot

_FULL_STARTS: Final = 5  #: starts refused for want of room, where no other offer is known
_REMEMBERED_SECONDS: Final = 900.0  #: a longer ago refused start may succeed by now
_TRIED: Final = 2  #: terminations that came to nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Number of missing places, and the ways to get them."""

    places: int  #: for instances that are wanted, and neither started nor launched
    coming: int  #: places that are free, or that machines are about to leave
    proven: bool  #: whether a launch succeeded since starts are refused


def hopeless(
    instance: Instance,
    slot: Slot | None,
    failures: FailureMemory,
    choice: Choice,
    *,
    snapshot: Snapshot,
    policy: Policy,
) -> bool:
    """Return whether a stopped machine is not expected to come to work if it is started.

    Args:
        instance: a stopped one.
        slot: its place.
        failures: what is remembered.
        choice: the offers that a launch in its place would have.
        snapshot: the world.
        policy: how many refusals are enough.
    """
    now, release = snapshot.taken_at, snapshot.release
    tried = failures.get(START, instance.id)
    if tried is not None and now - tried.at <= _REMEMBERED_SECONDS:
        full = tried.cause == Cause.FULL and not others(choice, instance.offer)
        enough = _FULL_STARTS if full else policy.refused_starts
        patience = policy.full_zone_seconds if full else 0.0
        if tried.count >= enough and now - tried.since >= patience:
            return True
    if failures.throttled_seconds(START, now) >= policy.full_zone_seconds:
        return True
    own = asked(slot, instance)
    mute = [one for one in (own, instance.offer) if failures.is_mute(one, release, now)]
    # An offer that leaves type and subnet to the launch template may be the machine's own.
    return bool(mute) and any(one not in mute for one in others(choice, instance.offer))


def given_up(
    hopeless_ones: Iterable[Instance],
    failures: FailureMemory,
    choice: Choice,
    *,
    need: Need,
    policy: Policy,
) -> tuple[str, ...]:
    """Return the machines to terminate so that others can take their places, the first to go first.

    None without an offer that was not refused lately: a place is of no use then.  One at a time
    until a launch has succeeded.

    Args:
        hopeless_ones: stopped machines that are not expected to start.
        failures: what is remembered.
        choice: the offers that a launch would have.
        need: how many places are missing.
        policy: how many terminations a tick may ask for.
    """
    missing = need.places - need.coming
    if missing <= 0 or not choice.offers or choice.probe:
        return ()
    most = min(missing, policy.terminate_per_tick)
    if not need.proven:
        most = min(most, 1 - need.coming)

    def order(instance: Instance) -> tuple[bool, float, str]:
        tried = failures.get(START, instance.id)
        full = tried is not None and tried.cause == Cause.FULL
        return full, 0.0 if tried is None else tried.since, instance.id

    return tuple(one.id for one in sorted(hopeless_ones, key=order))[: max(0, most)]


def uncounted(
    instances: Iterable[Instance],
    slots: Mapping[int, Slot],
    failures: FailureMemory,
    *,
    usable: Collection[str],
    now: float,
    policy: Policy,
) -> tuple[str, ...]:
    """Return the instances that the cap does not count: EC2 neither starts nor ends them.

    The cap is on what computes or may: these are off, EC2 would not terminate them when it was
    asked, and nothing starts them while they are left out.  They are never more than the cap.

    Args:
        instances: all that EC2 shows.
        slots: by number.
        failures: what is remembered.
        usable: ids of stopped ones that may be started.
        now: the time.
        policy: the cap, and the patience with a shutdown.
    """

    def is_stuck(instance: Instance) -> bool:
        slot = None if instance.slot is None else slots.get(instance.slot)
        refused = _is_kept(instance, failures, now=now, policy=policy)
        if instance.state is InstanceState.STOPPED:
            return refused and instance.id not in usable
        if instance.state is InstanceState.STOPPING:
            return refused and failures.count(FORCE, instance.id) >= _TRIED
        if instance.state is InstanceState.SHUTTING_DOWN and slot is not None:
            since = slot.leaving_since
            return since is not None and now - since > policy.force_stop_seconds
        return False

    found = sorted(one.id for one in instances if is_stuck(one))
    return tuple(found[: policy.max_instances])


def _is_kept(instance: Instance, failures: FailureMemory, *, now: float, policy: Policy) -> bool:
    """Return whether EC2 does not terminate an instance.

    It refused twice.  Where it agreed, or gave no answer, what it shows may only be late.
    """
    tried = failures.get(TERMINATE, instance.id)
    if tried is None or tried.count < _TRIED:
        return False
    if tried.cause == Cause.NO and tried.denials >= _TRIED:
        return True
    return now - tried.since > policy.force_stop_seconds
