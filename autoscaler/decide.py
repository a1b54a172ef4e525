"""The scaling decision.  Pure: no clock, no AWS, no log; see `autoscaler.daemon`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from autoscaler.census import Census, since, take_census
from autoscaler.model import FleetPlan, Policy, Read, Snapshot
from autoscaler.reason import reason_of
from autoscaler.rules import RULES

if TYPE_CHECKING:
    from autoscaler.model import Start

#: Reads without which nothing is done: a fleet of which nothing is known is not an empty one, and
#: a switch that cannot be read may say "paused".
_NEEDED: Final = (Read.INSTANCES, Read.RELEASE, Read.DEPTH, Read.SLOTS, Read.CONTROL)


def decide(snapshot: Snapshot, policy: Policy) -> FleetPlan:
    """Choose which instances to start, launch and terminate.

    The fleet only grows here.  It shrinks by itself, as workers that find the queue idle switch
    their own instance off, so no chunk is ever cut off by a scale-in; what is terminated here is
    stopped already.

    Pending instances count as capacity: without that, each tick of a two-minute boot would launch
    the same instances again.  All that is not terminated counts against the cap, and so does a
    launch of which nothing is known: that holds the cap in every interleaving of slow states,
    lost replies and crashes.

    Args:
        snapshot: the world as last seen.
        policy: the operator's limits.

    Returns:
        A plan that never takes the fleet past ``policy.max_instances``.  Stopped instances come
        before new ones: they boot faster and their disk is paid for.
    """
    missing = [read.value for read in _NEEDED if read in snapshot.unknown]
    if missing:
        return FleetPlan(reason=f"could not read {', '.join(missing)}: everything stays as it is")
    # Place of the lease (R10): who does not hold it looks, and plans nothing.
    census = take_census(snapshot, policy)
    want = min(RULES[policy.rule].want(snapshot.depth, policy), census.cap)
    short = max(0, want - census.capacity)
    grow = 0 if census.held else short

    start = _starts(census, grow)
    launch = _launches(census, grow - len(start))
    # Place of R6: instances that are silent past their grace, and those stopping for longer than
    # ten minutes, are to be stopped by force.
    terminate = _terminations(snapshot, census, policy, start=start, short=short)
    spare = tuple(s for s in census.startable if s not in start and s.instance not in terminate)
    plan = FleetPlan(
        reason="",
        want=want,
        short=short,
        start=start,
        spare=spare if start else (),
        launch=launch,
        terminate=terminate,
    )
    return replace(plan, reason=reason_of(plan, snapshot, census, policy))


def _starts(census: Census, needed: int) -> tuple[Start, ...]:
    """Stopped instances to start; a cap that was lowered holds for those that are not stopped."""
    active = census.standing - census.stopped + census.unanswered
    return census.startable[: max(0, min(needed, census.cap - active))]


def _launches(census: Census, needed: int) -> tuple[int, ...]:
    """Slots to launch in: launches of unknown fate first, as asking again creates nothing new."""
    room = census.cap - census.standing
    again = census.retries[: max(0, min(needed, room))]
    new = census.free[: max(0, min(needed - len(again), room - census.unanswered))]
    return again + new


def _terminations(
    snapshot: Snapshot, census: Census, policy: Policy, *, start: tuple[Start, ...], short: int
) -> tuple[str, ...]:
    """Stopped instances to give up: those of another release, then those the rule calls spent."""
    if snapshot.unknown:
        return ()
    spent = () if short else RULES[policy.rule].spent(snapshot, census, policy)
    slots = {slot.number: slot for slot in snapshot.slots}
    # What was started a moment ago may be at work though EC2 still shows it as stopped.
    settled = {
        instance.id
        for instance in snapshot.instances
        if since(instance, slots) <= snapshot.taken_at - policy.lag_seconds
    } - {chosen.instance for chosen in start}
    wanted = dict.fromkeys((*census.stale, *spent))
    return tuple(name for name in wanted if name in settled)[: policy.terminate_per_tick]
