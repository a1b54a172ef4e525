"""The loop: observe, decide, act, write the view; again every tick, whatever happened before.

Level-triggered: a tick looks at what is, never at what changed since the last one, so a message
that arrived while an instance was switching itself off is seen by the next tick, and a daemon
that was killed anywhere goes on where it was.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from autoscaler.act import Actor, learn
from autoscaler.census import take_census
from autoscaler.decide import decide
from autoscaler.journal import Journal, decision_of
from autoscaler.observe import observe
from gridwell.domain.errors import GridwellError

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.model import FleetPlan, Policy, Snapshot
    from autoscaler.observe import Observation, Ports

_NAP_SECONDS: Final = 0.5  #: how soon a request to stop is heard

_LOG: Final = logging.getLogger(__name__)


class Daemon:
    """Keeps one fleet.

    Two of them at once are a waste and no danger: slots are written conditionally.  The lease
    that makes it one (R10) has its place at the start of `tick`.

    Args:
        ports: what to look at and act through.
        policy: the operator's limits.
        fleet: the fleet's name.
        tick_seconds: from the start of a tick to the start of the next.
        rehearse: takes each plan's reason instead of its being carried out (`--dry-run`): nothing
            at all is written or called.
    """

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        *,
        fleet: str,
        tick_seconds: float,
        rehearse: Callable[[str], None] | None = None,
    ) -> None:
        if tick_seconds <= 0:
            raise ValueError(f"tick_seconds is {tick_seconds}; a tick must last some time")
        self._ports = ports
        self._policy = policy
        self._tick_seconds = tick_seconds
        self._rehearse = rehearse
        self._actor = Actor(ports, policy, fleet=fleet, halted=lambda: self._stopping)
        self._journal = Journal(ports.ledger)
        self._stopping = False
        self._told: dict[str, str] = {}
        self._held = False

    def stop(self) -> None:
        """End after the step in progress; safe to call from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Tick until told to stop."""
        clock = self._ports.clock
        while not self._stopping:
            due = clock.monotonic() + self._tick_seconds
            self.tick()
            # Naps, as a sleeping process hears its signal handler only when it wakes.
            while not self._stopping and (left := due - clock.monotonic()) > 0:
                clock.sleep(min(left, _NAP_SECONDS))

    def tick(self) -> FleetPlan | None:
        """One round.

        Returns:
            The plan; None if the round ended early, told to stop or for an error that is logged.
        """
        try:
            return self._round()
        except GridwellError as error:
            self._tell_once("fleet.tick_failed", f"{type(error).__name__}: {error}")
            return None

    def _round(self) -> FleetPlan | None:
        previous = None
        view_problem = ""
        try:
            previous = self._journal.last()
        except GridwellError as error:
            view_problem = f"view: {type(error).__name__}: {error}"
        observation = observe(self._ports, previous)
        self._tell_once(
            "fleet.read_failed", "; ".join(filter(None, (*observation.problems, view_problem)))
        )
        plan = decide(observation.snapshot, self._policy)
        if self._rehearse is not None:
            self._rehearse(plan.reason)
            return plan
        if self._stopping:
            return None
        self._carry_out(plan, observation)
        self._tell_held(plan)
        self._journal.publish(
            observation.snapshot, cap=take_census(observation.snapshot, self._policy).cap
        )
        self._tell_once("fleet.tick_failed", "")
        return plan

    def _carry_out(self, plan: FleetPlan, observation: Observation) -> None:
        snapshot: Snapshot = observation.snapshot
        try:
            learn(observation.learned, self._ports)
            problem = ""
        except GridwellError as error:
            # Only forgotten for a tick: a fleet must grow all the same.
            problem = f"what was seen is not in the ledger yet: {type(error).__name__}: {error}"
        self._tell_once("fleet.slot_not_written", problem)
        if plan.is_empty:
            return
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
                "want": plan.want,
                "short": plan.short,
            },
        )

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
