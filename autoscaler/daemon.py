"""The loop: hold the lease, observe, decide, act, write the view; again, whatever came before.

Level-triggered: a tick looks at what is, never at what changed since the last one, so a message
that arrived while an instance was switching itself off is seen by the next tick, and a daemon
that was killed anywhere goes on where it was.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from autoscaler.act.carry_out import Actor, learn
from autoscaler.decide.capacity import cap_of
from autoscaler.decide.decide import decide
from autoscaler.decide.failures import READ, after_round
from autoscaler.decide.model import FleetPlan, Read
from autoscaler.decide.slot_assignment import PLACES
from autoscaler.fleet_view import FleetViewWriter, decision_of
from autoscaler.leadership import Leadership
from autoscaler.observe import observe, observed
from autoscaler.observed_ports import OwnClock
from gridwell.engine.errors import GridwellError

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.decide.model import Policy, Snapshot
    from autoscaler.observe import Observation, ObservedPorts
    from gridwell.fleet.refusal import Refusal

_NAP_SECONDS: Final = 0.5  #: how soon a request to stop is heard

_LOG: Final = logging.getLogger(__name__)


class Daemon:
    """Keeps one fleet, while it holds the lease; otherwise it stands by.

    Args:
        ports: what to look at and act through.
        policy: the operator's limits.
        fleet: the fleet's name.
        owner: a name that no other run of an autoscaler has.
        tick_seconds: from the start of a tick to the start of the next.
        lease_seconds: after so long without a tick another autoscaler takes over.
        rehearse: takes each plan's reason instead of its being carried out (`--dry-run`): nothing
            at all is written or called, not even for the lease.
    """

    def __init__(
        self,
        ports: ObservedPorts,
        policy: Policy,
        *,
        fleet: str,
        owner: str,
        tick_seconds: float,
        lease_seconds: float = 30.0,
        rehearse: Callable[[str], None] | None = None,
    ) -> None:
        if tick_seconds <= 0:
            raise ValueError(f"tick_seconds is {tick_seconds}; a tick must last some time")
        self._clock = OwnClock(ports.clock)
        self._ports = observed(ports, self._clock)
        self._policy = policy
        self._tick_seconds = tick_seconds
        self._rehearse = rehearse
        self._leadership = Leadership(ports.ledger, ports.clock, owner=owner, seconds=lease_seconds)
        self._actor = Actor(
            self._ports,
            policy,
            fleet=fleet,
            leadership=self._leadership,
            halted=lambda: self._stopping,
        )
        self._journal = FleetViewWriter(self._ports.ledger)
        self._places: frozenset[int] | None = None  #: slots that can have been used; None: any
        self._fence = 0  #: of the lease under which the last round was
        self._stopping = False
        self._told: dict[str, str] = {}
        self._held = False

    def stop(self) -> None:
        """End after the step in progress; safe to call from a signal handler."""
        self._stopping = True

    def run(self, *, alive: Callable[[], None] = lambda: None) -> None:
        """Tick until a stop is requested, then give the lease back.

        Args:
            alive: called at the start of each tick, for a watchdog.
        """
        clock = self._ports.clock
        while not self._stopping:
            due = clock.monotonic() + self._tick_seconds
            alive()
            self.tick()
            # Naps, as a sleeping process hears its signal handler only when it wakes.
            while not self._stopping and (left := due - clock.monotonic()) > 0:
                clock.sleep(min(left, _NAP_SECONDS))
        self.end()

    def once(self) -> FleetPlan | None:
        """Return the plan of one round, after waiting for a lease that its holder left behind.

        Only time shows whether the holder lives: it renews the lease, or the lease ends.
        """
        plan = self.tick()
        first = other = self._leadership.other
        while not self._stopping and other is not None and other == first:
            self._ports.clock.sleep(max(_NAP_SECONDS, self._leadership.waits))
            plan = self.tick()
            other = self._leadership.other
        return plan

    def end(self) -> None:
        """Give the lease back, so that another autoscaler need not wait for its end."""
        try:
            self._leadership.give_back()
        except GridwellError as error:
            self._tell_once("fleet.lease_kept", f"{type(error).__name__}: {error}")

    def tick(self) -> FleetPlan | None:
        """Run one round.

        Returns:
            The plan; None if the round ended early: a stop was requested, or an error was logged.
        """
        self._clock.begin()
        try:
            if self._rehearse is None and not self._leadership.renew():
                return self._stand_by()
            return self._round()
        except GridwellError as error:
            self._tell_once("fleet.tick_failed", f"{type(error).__name__}: {error}")
            return None

    def _stand_by(self) -> FleetPlan:
        """Stand by while another autoscaler leads."""
        other = self._leadership.other
        words = f"standing by: {'another' if other is None else other.owner} holds the lease"
        self._tell_once("fleet.standing_by", words)
        return FleetPlan(reason=words)

    def _take_over(self) -> None:
        """Forget what was true when this autoscaler last held the lease, if it has done so."""
        if self._fence != self._leadership.fence:
            self._journal = FleetViewWriter(self._ports.ledger)
            self._places = None
            self._fence = self._leadership.fence
        self._tell_once("fleet.standing_by", "")

    def _round(self) -> FleetPlan | None:
        self._take_over()
        previous = None
        view_problem = ""
        try:
            previous = self._journal.last()
        except GridwellError as error:
            view_problem = f"view: {type(error).__name__}: {error}"
        observation = observe(self._ports, previous, self._policy, places=self._places)
        self._tell_once(
            "fleet.read_failed", "; ".join(filter(None, (*observation.problems, view_problem)))
        )
        snapshot = observation.snapshot
        unread = [one for one in snapshot.refusals if one.action == READ]
        self._tell_once(
            "fleet.row_unreadable",
            "; ".join(f"the {one.target} cannot be read: {one.message}" for one in unread),
        )
        plan = decide(snapshot, self._policy)
        if self._rehearse is not None:
            self._rehearse(plan.reason)
            return plan
        if self._stopping:
            return None
        if Read.SLOTS not in snapshot.unknown:
            used = {slot.number for slot in snapshot.slots}
            # A place more for each instance that the cap does not count.
            most = min(PLACES, 2 * self._policy.max_instances)
            self._places = frozenset(used.union(range(most)))
            self._leadership.outgrow(max((slot.fence for slot in snapshot.slots), default=0))
            self._fence = self._leadership.fence
        refusals = self._carry_out(plan, observation)
        self._tell_held(plan)
        if self._leadership.holds:  # whoever took over meanwhile writes a truer view
            self._journal.publish(
                snapshot,
                cap=cap_of(snapshot, self._policy),
                held=plan.held,
                owner=self._leadership.owner,
                refusals=refusals,
            )
        self._tell_once("fleet.tick_failed", "")
        return plan

    def _carry_out(self, plan: FleetPlan, observation: Observation) -> tuple[Refusal, ...]:
        """Do what a plan says; what EC2 refused is in the memory that is returned."""
        snapshot: Snapshot = observation.snapshot
        try:
            learn(observation.learned, self._ports, fence=self._leadership.fence)
            problem = ""
        except GridwellError as error:
            # Only forgotten for a tick: a fleet must grow all the same.
            problem = f"what was seen is not in the ledger yet: {type(error).__name__}: {error}"
        self._tell_once("fleet.slot_not_written", problem)
        if plan.is_empty:
            return snapshot.refusals
        outcomes = self._actor.carry_out(plan, snapshot)
        decision = decision_of(plan, outcomes, at=snapshot.taken_at)
        self._journal.note(decision)
        _LOG.info(
            decision.reason,
            extra={
                "action": "fleet.decided",
                "start": decision.start,
                "launch": decision.launch,
                "terminate": decision.terminate,
                "stop": decision.stop,
                "want": plan.want,
                "short": plan.short,
            },
        )
        return after_round(snapshot.refusals, outcomes, now=self._ports.clock.now())

    def _tell_held(self, plan: FleetPlan) -> None:
        """Log once that instances are wanted and none can be had, as while all are stopping."""
        held = plan.is_empty and plan.short > 0
        if held and not self._held:
            _LOG.info(plan.reason, extra={"action": "fleet.held", "short": plan.short})
        self._held = held

    def _tell_once(self, action: str, words: str) -> None:
        """Log what is wrong when it begins, changes and ends, not at every tick that it lasts.

        Args:
            action: the event.
            words: what is wrong; empty: nothing, any more.
        """
        if self._told.get(action, "") == words:
            return
        self._told[action] = words
        if words:
            _LOG.warning("%s", words, extra={"action": action})
        else:
            _LOG.info("That is over: %s", action, extra={"action": f"{action}.over"})
