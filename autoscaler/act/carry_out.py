"""Carrying a fleet plan out: every action by itself, and each only while it may be done.

What goes wrong with one instance is an outcome, not an exception: the others go on, and the next
tick looks at the world again.  A throttled call ends its own action for this round, and no other.
Two things end the round: a request to stop, and a lease that is no longer ours.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.act.leadership_check import LeadershipCheck, RoundEnded
from autoscaler.act.start_and_launch import Grower, LaunchOfferings
from autoscaler.act.stop_and_terminate import Shrinker
from autoscaler.decide.failures import TERMINATE, FailureMemory
from autoscaler.decide.unresponsive import action_of
from gridwell.fleet.model import Slot
from gridwell.fleet.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from autoscaler.decide.model import FleetPlan, Policy, Snapshot
    from autoscaler.decide.outcome import ActionOutcome
    from autoscaler.leadership import Leadership
    from autoscaler.observe import Learned, ObservedPorts


def learn(learned: tuple[Learned, ...], ports: ObservedPorts, *, fence: int) -> None:
    """Store what an observation of EC2 showed.

    A slot with a later launch is left alone: the next observation shows the same again.

    Raises:
        ServiceError: the ledger is unavailable; the next observation repeats all of it.
    """
    for item in learned:
        ports.ledger.write_slot(replace(item.slot, fence=fence), seen=item.seen)


class Actor:
    """Carries plans out.

    Args:
        ports: what to act through.
        policy: how long an intent holds.
        fleet: the fleet's name, part of every token.
        leadership: the hold on the lease, looked at right before each call.
        halted: asked between actions: whether to stop here.  Any action may be the last one: what
            is missing is planned again.
    """

    def __init__(
        self,
        ports: ObservedPorts,
        policy: Policy,
        *,
        fleet: str,
        leadership: Leadership,
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        guard = LeadershipCheck(leadership, halted)
        self._grower = Grower(ports, policy, fleet=fleet, guard=guard)
        self._shrinker = Shrinker(ports, policy, guard=guard)

    def carry_out(self, plan: FleetPlan, snapshot: Snapshot) -> tuple[ActionOutcome, ...]:
        """Do what a plan says.

        Args:
            plan: what `decide` made of the snapshot.
            snapshot: as it was seen, with the slots that the plan speaks of.

        Returns:
            What became of each action, in order.
        """
        return tuple(self._until_ended(plan, snapshot))

    def _until_ended(self, plan: FleetPlan, snapshot: Snapshot) -> Iterator[ActionOutcome]:
        try:
            yield from self._round(plan, snapshot)
        except RoundEnded as end:
            if end.outcome is not None:
                yield end.outcome

    def _round(self, plan: FleetPlan, snapshot: Snapshot) -> Iterator[ActionOutcome]:
        slots = {slot.number: slot for slot in snapshot.slots}
        instead: list[int] = []
        yield from self._starts(plan, snapshot, slots, instead)
        offers = LaunchOfferings(plan.offers)
        launches = (
            self._grower.launch(slots.get(number) or Slot(number=number), offers, snapshot)
            for number in (*plan.launch, *instead)
        )
        yield from _until_throttled(itertools.chain.from_iterable(launches))
        failures = FailureMemory.of(snapshot.refusals)
        # EC2 counts calls by action: one that is throttled says nothing of another.
        for action, stops in itertools.groupby(sorted(plan.stop, key=action_of), key=action_of):
            if action != TERMINATE:
                yield from _until_throttled(
                    self._shrinker.stop(stop, slots, failures) for stop in stops
                )
        endings = [stop for stop in plan.stop if action_of(stop) == TERMINATE]
        yield from _until_throttled(
            itertools.chain(
                (self._shrinker.stop(stop, slots, failures) for stop in endings),
                (self._shrinker.terminate(name, slots) for name in plan.terminate),
            )
        )

    def _starts(
        self,
        plan: FleetPlan,
        snapshot: Snapshot,
        slots: Mapping[int, Slot],
        instead: list[int],
    ) -> Iterator[ActionOutcome]:
        """Start what is planned; `instead` takes the slots to launch in for what is refused."""
        candidates, spare, reserve = list(plan.start), list(plan.spare), list(plan.reserve)
        while candidates:
            chosen = candidates.pop(0)
            slot = slots.get(chosen.slot) or Slot(number=chosen.slot)
            outcome, no = self._grower.start(chosen, slot, snapshot)
            yield outcome
            if outcome.throttled:
                if plan.stand_in and outcome.cause is Cause.THROTTLED:
                    instead += reserve[: 1 + len(candidates)]
                return
            # Only a clear no lets another one go in its place: after a lost reply the first may
            # well be booting.
            if no and spare:
                candidates.append(spare.pop(0))
            elif no and reserve:
                instead.append(reserve.pop(0))


def _until_throttled(outcomes: Iterable[ActionOutcome]) -> Iterator[ActionOutcome]:
    """Give outcomes as they come about, and let no more come about after one was throttled."""
    for outcome in outcomes:
        yield outcome
        if outcome.throttled:
            return
