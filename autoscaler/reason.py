"""A fleet plan in words: the queue, the want, who is there, what is done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from autoscaler.rules import RULES

if TYPE_CHECKING:
    from autoscaler.boots import Distrust
    from autoscaler.census import Census
    from autoscaler.model import FleetPlan, Policy, Snapshot
    from autoscaler.offers import Choice


def reason_of(plan: FleetPlan, snapshot: Snapshot, census: Census, policy: Policy) -> str:
    """A plan in words, with the arithmetic, for people and for the fleet's view."""
    queue = RULES[policy.rule].arithmetic(snapshot.depth)
    left = plan.short - len(plan.start) - len(plan.launch)
    does = [_done(plan, census), f"{left} short: {plan.held}" if plan.held else ""]
    todo = "; ".join(filter(None, does)) or "nothing to do"
    return f"{queue}, want {plan.want} of cap {census.cap}; {_there(census)}; {todo}"


def why_held(census: Census, choice: Choice, distrust: Distrust | None, policy: Policy) -> str:
    """Why there are fewer than wanted, for people: what is in the way, and what will end it."""
    if census.held:
        return census.held
    if distrust is not None:
        turn = f"the next is tried in {_about(distrust.wait)}" if distrust.wait else "one is tried"
        return (
            f"{distrust.row} boots of this release in a row came to no heartbeat, {turn}; "
            "a new release ends this"
        )
    if not choice.offers:
        offers = ", ".join(map(str, policy.offers))
        return f"EC2 has no capacity for {offers}, it is asked again in {_about(choice.wait)}"
    return "no place or machine to be had now"


def _about(seconds: float) -> str:
    """A duration that does not change with every tick."""
    return f"about {math.ceil(seconds / 10) * 10} s"


def _there(census: Census) -> str:
    counts = {
        "running": census.running,
        "booting": census.booting,
        "on but of no use": census.silent,
        "stopping": census.stopping,
        "shutting down": census.leaving,
        "stopped": census.stopped,
        "launches unanswered": census.unanswered,
    }
    return " + ".join(f"{count} {word}" for word, count in counts.items() if count) or "none there"


def _done(plan: FleetPlan, census: Census) -> str:
    kinds = {
        "terminate {} given up before": census.condemned,
        "terminate {} that do not boot": census.broken,
        "terminate {} of another release": census.stale,
    }
    left = list(plan.terminate)
    gone = {}
    for words, names in kinds.items():
        gone[words] = sum(name in names for name in left)
        left = [name for name in left if name not in names]
    forced = sum(stop.force for stop in plan.stop)
    counts = {
        "start {} stopped": len(plan.start),
        "launch {}": len(plan.launch),
        "stop {} without a sign of life": len(plan.stop) - forced,
        "cut the power of {} that hang in their shutdown": forced,
        **gone,
        "terminate {} no longer needed": len(left),
    }
    return ", ".join(words.format(count) for words, count in counts.items() if count)
