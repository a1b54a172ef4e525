"""Carrying a fleet plan out: every action by itself, and each only while it may be done.

What goes wrong with one instance is an outcome, not an exception: the others go on, and the next
tick looks at the world again.  Only three things end a round: we are told to stop, AWS wants fewer
calls, or the lease is no longer ours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.grow import Grower
from autoscaler.outcome import Ended, Guard, Outcome
from autoscaler.shrink import Shrinker
from gridwell.domain.fleet import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autoscaler.model import FleetPlan, Policy, Snapshot
    from autoscaler.observe import Learned, Ports
    from autoscaler.tenure import Tenure


def learn(learned: tuple[Learned, ...], ports: Ports, *, fence: int) -> None:
    """Let the ledger remember what a look at EC2 told.

    A slot in which somebody launched since is left alone: the next look tells it again.

    Raises:
        ServiceError: if the ledger is away; nothing is lost, as the next look tells it again.
    """
    for item in learned:
        ports.ledger.write_slot(replace(item.slot, fence=fence), seen=item.seen)


class Actor:
    """Carries plans out.

    Args:
        ports: what to act through.
        policy: how long an intent holds.
        fleet: the fleet's name, part of every token.
        tenure: the hold on the lease, looked at right before each call.
        halted: asked between actions: whether to stop here.  Any action may be the last one: what
            is missing is planned again.
    """

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        *,
        fleet: str,
        tenure: Tenure,
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        guard = Guard(tenure, halted)
        self._grower = Grower(ports, policy, fleet=fleet, guard=guard)
        self._shrinker = Shrinker(ports, policy, guard=guard)

    def carry_out(self, plan: FleetPlan, snapshot: Snapshot) -> tuple[Outcome, ...]:
        """Do what a plan says.

        Args:
            plan: what `decide` made of the snapshot.
            snapshot: as it was seen, with the slots that the plan speaks of.

        Returns:
            What became of each action, in order.
        """
        return tuple(self._until_ended(plan, snapshot))

    def _until_ended(self, plan: FleetPlan, snapshot: Snapshot) -> Iterator[Outcome]:
        try:
            yield from self._round(plan, snapshot)
        except Ended as end:
            if end.outcome is not None:
                yield end.outcome

    def _round(self, plan: FleetPlan, snapshot: Snapshot) -> Iterator[Outcome]:
        slots = {slot.number: slot for slot in snapshot.slots}
        numbers = list(plan.launch)
        candidates, spare, reserve = list(plan.start), list(plan.spare), list(plan.reserve)
        while candidates:
            chosen = candidates.pop(0)
            outcome, no = self._grower.start(chosen, slots[chosen.slot], snapshot)
            yield outcome
            # Only a clear no lets another one go in its place: after a lost reply the first may
            # well be booting.
            if no and spare:
                candidates.append(spare.pop(0))
            elif no and reserve:
                numbers.append(reserve.pop(0))
        offers = list(plan.offers)
        for number in numbers:
            slot = slots.get(number) or Slot(number=number)
            yield from self._grower.launch(slot, offers, snapshot)
        for stop in plan.stop:
            yield self._shrinker.stop(stop, slots)
        for name in plan.terminate:
            yield self._shrinker.terminate(name, slots)
