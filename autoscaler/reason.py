"""A fleet plan in words: the queue, the want, who is there, what is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.rules import RULES

if TYPE_CHECKING:
    from autoscaler.census import Census
    from autoscaler.model import FleetPlan, Policy, Snapshot


def reason_of(plan: FleetPlan, snapshot: Snapshot, census: Census, policy: Policy) -> str:
    """A plan in words, with the arithmetic, for people and for the fleet's view."""
    queue = RULES[policy.rule].arithmetic(snapshot.depth)
    left = plan.short - len(plan.start) - len(plan.launch)
    why = census.held or "no place or machine to be had now"
    does = [_done(plan, census), f"{left} short: {why}" if left > 0 else ""]
    todo = "; ".join(filter(None, does)) or "nothing to do"
    return f"{queue}, want {plan.want} of cap {census.cap}; {_there(census)}; {todo}"


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
    stale = sum(name in census.stale for name in plan.terminate)
    counts = {
        "start {} stopped": len(plan.start),
        "launch {}": len(plan.launch),
        "terminate {} of another release": stale,
        "terminate {} no longer needed": len(plan.terminate) - stale,
    }
    return ", ".join(words.format(count) for words, count in counts.items() if count)
