"""The scaling decision.  Pure: no clock, no AWS, no log; see `autoscaler.daemon`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from autoscaler.decide.boot_health import distrust_of
from autoscaler.decide.capacity import Capacity, classify
from autoscaler.decide.explain import reason_of, why_held
from autoscaler.decide.failures import START, TERMINATE, FailureMemory
from autoscaler.decide.fitness import doubt_of, suspect_stops, unfit_stopped
from autoscaler.decide.launch_intents import launched_at, since
from autoscaler.decide.model import FleetPlan, Policy, Read, Snapshot
from autoscaler.decide.offerings import choose
from autoscaler.decide.scaling_rules import RULES
from autoscaler.decide.slot_assignment import adopted, placed
from autoscaler.decide.unresponsive import orphans
from autoscaler.decide.unusable import Need, given_up
from gridwell.fleet.model import InstanceState
from gridwell.fleet.refusal import Cause

if TYPE_CHECKING:
    from autoscaler.decide.boot_health import Quarantine
    from autoscaler.decide.fitness import Doubt
    from autoscaler.decide.model import Start
    from autoscaler.decide.offerings import Choice

#: Reads without which nothing is done: a fleet of which nothing is known is not an empty one, and
#: a switch that cannot be read may say "paused".
_NEEDED: Final = (Read.INSTANCES, Read.RELEASE, Read.DEPTH, Read.SLOTS, Read.CONTROL)


def decide(snapshot: Snapshot, policy: Policy) -> FleetPlan:
    """Choose which instances to start, launch, stop and terminate.

    The fleet only grows here.  It shrinks by itself, as workers that find the queue idle switch
    their own instance off, so no chunk is ever cut off by a scale-in; what is stopped here gives
    no sign of life, and what is terminated here is stopped already.

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
    snapshot = _with_places(snapshot)
    failures = FailureMemory.of(snapshot.refusals)
    choice = choose(
        policy.offers,
        snapshot.slots,
        now=snapshot.taken_at,
        again_seconds=policy.capacity_retry_seconds,
        failures=failures,
        release=snapshot.release,
    )
    census = classify(snapshot, policy, failures, choice)
    distrust = distrust_of(snapshot, policy, failures)
    want = min(RULES[policy.rule].want(snapshot.depth, policy), census.cap)
    short = max(0, want - census.capacity)
    grow = _growth(short, census, distrust)
    doubt = doubt_of(snapshot, policy)
    grow = grow if doubt is None else min(grow, doubt.most(census.capacity))

    start = _starts(census.startable, census, grow)
    launch, reserve = _launches(census, choice, grow - len(start), starts=len(start))
    lacking = grow - len(start) - len(launch)
    outworn = _given_up(snapshot, census, failures, choice, lacking=lacking, policy=policy)
    doubtful = _last_resorts(snapshot, census, failures, outworn, policy)
    start += _starts(doubtful, census, lacking, taken=len(start) + len(launch))
    terminate = _terminations(snapshot, census, policy, failures, start, outworn, short=short)
    spare = tuple(s for s in census.startable if s not in start and s.instance not in terminate)
    # What EC2 has refused time and again is told also while it is tried once more.
    is_held = short > len(start) + len(launch) or (short > 0 and failures.is_in_the_way(policy))
    plan = FleetPlan(
        reason="",
        want=want,
        short=short,
        start=start,
        spare=spare if start else (),
        launch=launch,
        reserve=reserve,
        stand_in=failures.is_throttled(START, snapshot.taken_at),
        offers=choice.offers,
        terminate=terminate,
        stop=(*orphans(snapshot, policy, failures), *suspect_stops(snapshot))[
            : policy.stop_per_tick
        ],
        uncounted=census.uncounted,
        held=_why_held(census, choice, distrust, doubt, policy, failures) if is_held else "",
    )
    return replace(plan, reason=reason_of(plan, snapshot, census, policy))


def _why_held(
    census: Capacity,
    choice: Choice,
    distrust: Quarantine | None,
    doubt: Doubt | None,
    policy: Policy,
    failures: FailureMemory,
) -> str:
    if doubt is not None and distrust is None and not census.held:
        return doubt.words
    return why_held(census, choice, distrust, policy, failures)


def _with_places(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with a slot for each machine, also for missing or invalid tags."""
    instances = placed(snapshot.instances, snapshot.slots)
    slots = adopted(snapshot.slots, instances)
    if slots != snapshot.slots:
        instances = placed(instances, slots)
    if (instances, slots) == (snapshot.instances, snapshot.slots):
        return snapshot
    return replace(snapshot, instances=instances, slots=slots)


def _growth(short: int, census: Capacity, distrust: Quarantine | None) -> int:
    """Return how many more to start or launch: one at a time while boots of the release fail."""
    if census.held:
        return 0
    if distrust is None:
        return short
    return 0 if distrust.wait > 0 or distrust.tried or census.booting else min(short, 1)


def _starts(
    candidates: tuple[Start, ...], census: Capacity, needed: int, *, taken: int = 0
) -> tuple[Start, ...]:
    """Stopped instances to start; a cap that was lowered holds for those that are not stopped."""
    active = census.standing - census.stopped + census.unanswered + taken
    return candidates[: max(0, min(needed, census.cap - active))]


def _launches(
    census: Capacity, choice: Choice, needed: int, *, starts: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return slots to launch in, and those for each start that is refused.

    Launches of unknown fate come first, as asking again creates nothing new.
    """
    room = census.room
    again = census.retries[: max(0, min(needed, room))]
    may = max(0, room - census.unanswered)
    if not choice.offers:
        may = 0
    elif choice.probe:
        may = min(may, 1)
    places = census.free[:may]
    new = places[: max(0, needed - len(again))]
    return again + new, places[len(new) : len(new) + starts]


def _given_up(
    snapshot: Snapshot,
    census: Capacity,
    failures: FailureMemory,
    choice: Choice,
    *,
    lacking: int,
    policy: Policy,
) -> tuple[str, ...]:
    """Stopped instances whose places others are to have, as work waits that nothing can serve."""
    if lacking <= 0 or snapshot.unknown:
        return ()
    settled = _settled(snapshot, policy)
    ready = [
        one
        for one in census.hopeless
        if one.id in settled and failures.is_ready(TERMINATE, one.id, snapshot.taken_at)
    ]
    refused = [r.since for one in ready if (r := failures.get(START, one.id)) is not None]
    need = Need(
        places=lacking,
        coming=max(0, census.room - census.unanswered) + census.leaving,
        proven=any(
            launched_at(one) > min(refused, default=snapshot.taken_at)
            for one in snapshot.instances
            if one.state in (InstanceState.PENDING, InstanceState.RUNNING)
        ),
    )
    return given_up(ready, failures, choice, need=need, policy=policy)


def _last_resorts(
    snapshot: Snapshot,
    census: Capacity,
    failures: FailureMemory,
    outworn: tuple[str, ...],
    policy: Policy,
) -> tuple[Start, ...]:
    """Stopped instances that are not expected to start, and are tried as nothing else is left.

    After a start without an answer EC2 is given the time to show it: else an instance that is
    tried again and again could never be given up.
    """
    settled = _settled(snapshot, policy)

    def may(name: str) -> bool:
        tried = failures.get(START, name)
        return tried is None or tried.cause != Cause.UNKNOWN or name in settled

    left = (one for one in census.doubtful if one.instance not in outworn)
    return tuple(one for one in left if may(one.instance))


def _settled(snapshot: Snapshot, policy: Policy) -> frozenset[str]:
    """Return the instances whose shown state is current: not started within EC2's lag."""
    slots = {slot.number: slot for slot in snapshot.slots}
    return frozenset(
        instance.id
        for instance in snapshot.instances
        if since(instance, slots) <= snapshot.taken_at - policy.lag_seconds
    )


def _terminations(
    snapshot: Snapshot,
    census: Capacity,
    policy: Policy,
    failures: FailureMemory,
    start: tuple[Start, ...],
    outworn: tuple[str, ...],
    *,
    short: int,
) -> tuple[str, ...]:
    """Stopped instances to give up: unfit, in the way, condemned, of another release, or spent.

    Those that EC2 would not terminate before wait, and come after the others.
    """
    if snapshot.unknown:
        return ()
    spent = () if short else RULES[policy.rule].spent(snapshot, census, policy)
    settled = _settled(snapshot, policy) - {chosen.instance for chosen in start}
    unfit = unfit_stopped(snapshot)
    wanted = dict.fromkeys(
        (*unfit, *outworn, *census.condemned, *census.broken, *census.stale, *spent)
    )
    now = snapshot.taken_at
    ready = [n for n in wanted if n in settled and failures.is_ready(TERMINATE, n, now)]
    ready.sort(key=lambda name: failures.last(TERMINATE, name))
    return tuple(ready[: policy.terminate_per_tick])
