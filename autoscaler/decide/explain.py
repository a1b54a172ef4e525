"""A fleet plan in words: the queue, the want, who is there, what is done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from autoscaler.decide.failures import BOOT, FORCE, LAUNCH, NONE, START, STOP, TERMINATE
from autoscaler.decide.fitness import unfit_stopped
from autoscaler.decide.scaling_rules import RULES
from gridwell.fleet.refusal import Cause, described, remedy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscaler.decide.boot_health import Quarantine
    from autoscaler.decide.capacity import Capacity
    from autoscaler.decide.failures import FailureMemory
    from autoscaler.decide.model import FleetPlan, Policy, Snapshot
    from autoscaler.decide.offerings import Choice
    from gridwell.fleet.refusal import Refusal

_ENDS: Final = (STOP, FORCE, TERMINATE)
_MOST: Final = 2  #: refusals that are told together
_UNNAMED: Final = ("", "NoCapacity")  #: codes that say no more than that there is no capacity


def reason_of(plan: FleetPlan, snapshot: Snapshot, census: Capacity, policy: Policy) -> str:
    """Return a plan's reason as text, with the arithmetic, for the log and the fleet's view."""
    queue = RULES[policy.rule].arithmetic(snapshot.depth)
    left = plan.short - len(plan.start) - len(plan.launch)
    does = [_done(plan, census, snapshot)]
    if plan.held:
        does.append(f"{left} short: {plan.held}" if left > 0 else plan.held)
    if plan.uncounted:
        does.append(
            f"not counted, as EC2 neither starts nor ends them: {', '.join(plan.uncounted)}"
        )
    todo = "; ".join(filter(None, does)) or "nothing to do"
    return f"{queue}, want {plan.want} of cap {census.cap}; {_there(census)}; {todo}"


def why_held(
    census: Capacity,
    choice: Choice,
    distrust: Quarantine | None,
    policy: Policy,
    failures: FailureMemory = NONE,
) -> str:
    """Return the reason for a shortfall as text: the obstacle and its remedy."""
    if census.held:
        return census.held
    if distrust is not None:
        return _mute(distrust, policy, failures)
    launches = [r for o in policy.offers if (r := failures.get(LAUNCH, o.name)) is not None]
    if not choice.offers:
        wait = f"it is asked again in {_about(choice.wait)}"
        told = [one for one in launches if one.cause != Cause.FULL or one.code not in _UNNAMED]
        if told:
            return f"{_all(told)}; {wait}"
        offers = ", ".join(map(str, policy.offers))
        return f"EC2 has no capacity for {offers}, {wait}"
    known = failures.known.values()
    told = sorted((r for r in known if r.action == START), key=lambda one: -one.count)
    told = [one for one in (*launches, *told) if one.count > 1]
    told = told or [r for r in known if r.action in _ENDS and r.cause == Cause.NO and r.count > 1]
    if told:
        return _all(told)
    there = {
        "stopping": census.stopping,
        "shutting down": census.leaving,
        "stopped and waiting for their next try": census.stopped,
        "on without a sign of life": census.silent,
        "launches without an answer": census.unanswered,
    }
    places = ", ".join(f"{count} {words}" for words, count in there.items() if count)
    return f"every place under the cap of {census.cap} is taken{f': {places}' if places else ''}"


def _mute(distrust: Quarantine, policy: Policy, failures: FailureMemory) -> str:
    """Return the text about boots without a heartbeat; it names a release that may be at fault."""
    turn = f"the next is tried in {_about(distrust.wait)}" if distrust.wait else "one is tried"
    if distrust.untried:
        offers = ", ".join(map(str, distrust.mute))
        return (
            f"{distrust.row} boots in a row by {offers} came to no heartbeat, "
            f"{distrust.untried[0]} is tried next"
        )
    row = f"{distrust.row} boots of this release in a row came to no heartbeat, {turn}"
    boots = [r for o in policy.offers if (r := failures.get(BOOT, o.name)) is not None]
    if told := [one for one in boots if one.code]:
        return f"{row}; {_all(told)}"
    where = f", by {', '.join(map(str, policy.offers))}" if len(policy.offers) > 1 else ""
    return f"{row}{where}; a new release ends this"


def _all(refusals: Iterable[Refusal]) -> str:
    """Return the distinct refusals as text, each with its remedy, as far as there is room."""
    different = {(one.action, one.code, one.cause): one for one in reversed([*refusals])}
    shown = [*different.values()][::-1][:_MOST]
    return "; ".join(f"{described(one)} ({remedy(one)})" for one in shown)


def _about(seconds: float) -> str:
    """Return a duration as text, rounded so that it does not change with every tick."""
    return f"about {math.ceil(seconds / 10) * 10} s"


def _there(census: Capacity) -> str:
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


def _done(plan: FleetPlan, census: Capacity, snapshot: Snapshot) -> str:
    if plan.is_empty:
        return ""
    kinds = {
        "terminate {} not fit to work": unfit_stopped(snapshot),
        "terminate {} given up before": census.condemned,
        "terminate {} that do not boot": census.broken,
        "terminate {} of another release": census.stale,
        "terminate {} that cannot be started": tuple(one.id for one in census.hopeless),
    }
    left = list(plan.terminate)
    gone = {}
    for words, names in kinds.items():
        gone[words] = sum(name in names for name in left)
        left = [name for name in left if name not in names]
    forced = sum(stop.force for stop in plan.stop)
    suspected = sum(stop.suspect for stop in plan.stop)
    counts = {
        "start {} stopped": len(plan.start),
        "launch {}": len(plan.launch),
        "stop {} without a sign of life": len(plan.stop) - forced - suspected,
        "stop {} whose worker was proved wrong": suspected,
        "cut the power of {} that hang in their shutdown": forced,
        **gone,
        "terminate {} no longer needed": len(left),
    }
    return ", ".join(words.format(count) for words, count in counts.items() if count)
