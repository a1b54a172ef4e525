"""Carrying a fleet plan out: every action by itself, every intent written before its call.

What goes wrong with one instance is an outcome, not an exception: the others go on, and the next
tick looks at the world again.
"""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from autoscaler.intents import Intent, intent_of, launch_token, retry_pause
from gridwell.domain.errors import GridwellError, NoCapacity, ServiceBusy
from gridwell.domain.fleet import InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.model import FleetPlan, Policy, Snapshot, Start
    from autoscaler.observe import Learned, Ports

_LOG: Final = logging.getLogger(__name__)


class Action(enum.StrEnum):
    """What can be done to the fleet."""

    START = "start"
    LAUNCH = "launch"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one action."""

    action: Action
    instance: str | None = None
    slot: int | None = None
    problem: str = ""  #: in words; empty: it was done

    @property
    def done(self) -> bool:
        """Whether EC2 said yes."""
        return not self.problem


def learn(learned: tuple[Learned, ...], ports: Ports) -> None:
    """Let the ledger remember what a look at EC2 told.

    A slot in which somebody launched since is left alone: the next look tells it again.

    Raises:
        ServiceError: if the ledger is away; nothing is lost, as the next look tells it again.
    """
    for item in learned:
        ports.ledger.write_slot(item.slot, seen=item.seen)


class Actor:
    """Carries plans out.

    Args:
        ports: what to act through.
        policy: how long an intent holds.
        fleet: the fleet's name, part of every token.
        halted: asked between actions: whether to stop here.  Any action may be the last one: what
            is missing is planned again.
    """

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        *,
        fleet: str,
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._fleet = fleet
        self._halted = halted

    def carry_out(self, plan: FleetPlan, snapshot: Snapshot) -> tuple[Outcome, ...]:
        """Do what a plan says.

        Args:
            plan: what `decide` made of the snapshot.
            snapshot: as it was seen, with the slots that the plan speaks of.

        Returns:
            What became of each action, in order.
        """
        slots = {slot.number: slot for slot in snapshot.slots}
        outcomes = self._start_all(plan, slots)
        for number in plan.launch:
            if self._halted():
                break
            slot = slots.get(number, Slot(number=number))
            outcomes.append(self._launch(slot, snapshot))
        if plan.terminate and not self._halted():
            outcomes += self._terminate_all(plan)
        return tuple(outcomes)

    def _start_all(self, plan: FleetPlan, slots: dict[int, Slot]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        spare = list(plan.spare)
        candidates = list(plan.start)
        while candidates and not self._halted():
            chosen = candidates.pop(0)
            outcome, refused = self._start(chosen, slots[chosen.slot])
            outcomes.append(outcome)
            # Only a clear no lets another one go in its place: after a lost reply the first may
            # well be booting.
            if refused and spare:
                candidates.append(spare.pop(0))
        return outcomes

    def _start(self, chosen: Start, slot: Slot) -> tuple[Outcome, bool]:
        """Start one instance: what became of it, and whether EC2 clearly refused."""
        outcome = Outcome(action=Action.START, instance=chosen.instance, slot=slot.number)
        # The ledger first: a boot is measured from here, also where EC2 keeps the LaunchTime of
        # the instance's first life.
        started = replace(
            slot,
            instance=chosen.instance,
            started_at=self._ports.clock.now(),
            stopped_since=None,
        )
        try:
            if not self._ports.ledger.write_slot(started, seen=slot):
                return replace(outcome, problem="somebody else launched in its slot"), False
        except GridwellError as error:
            return replace(outcome, problem=_words(error)), False
        try:
            self._ports.ec2.start(chosen.instance)
        except GridwellError as error:
            self._count_failure(started)
            return replace(outcome, problem=_words(error)), _refused(error)
        self._succeeded(started)
        return outcome, False

    def _launch(self, slot: Slot, snapshot: Snapshot) -> Outcome:
        outcome = Outcome(action=Action.LAUNCH, slot=slot.number)
        try:
            intent = self._intend(slot, snapshot)
        except GridwellError as error:
            # Whether the intent was written is unknown; without it there must be no launch.
            return replace(outcome, problem=_words(error))
        if intent is None:
            return replace(outcome, problem="somebody else launched in this slot")
        # A machine may sleep between any two lines.  An intent that is too old by now may have been
        # given up by another daemon; the lease (R10) has its place here, too.
        now = self._ports.clock.now()
        if now - (intent.started_at or 0.0) > self._policy.ask_seconds:
            return replace(outcome, problem="its intent is too old to be asked again")
        try:
            name = self._ports.ec2.launch(slot.number, intent.token or "")
        except GridwellError as error:
            # A lost reply is no failure: the same token is asked again at the next tick, and
            # before any other slot, so that it costs no second instance.
            if _refused(error):
                self._count_failure(intent)
            return replace(outcome, problem=_words(error))
        self._succeeded(replace(intent, instance=name, started_at=now), seen=intent)
        return replace(outcome, instance=name)

    def _intend(self, slot: Slot, snapshot: Snapshot) -> Slot | None:
        """The slot with an intent in the ledger: a new one, or the last one asked again."""
        last = intent_of(
            slot,
            snapshot.instances,
            now=snapshot.taken_at,
            intent_seconds=self._policy.intent_seconds,
        )
        if last is Intent.UNANSWERED:
            return slot
        epoch = slot.epoch + 1
        intent = replace(
            slot,
            epoch=epoch,
            token=launch_token(self._fleet, slot.number, epoch),
            instance=None,
            started_at=self._ports.clock.now(),
            stopped_since=None,
        )
        return intent if self._ports.ledger.write_slot(intent, seen=slot) else None

    def _terminate_all(self, plan: FleetPlan) -> list[Outcome]:
        """Terminate what is still stopped: a second look guards what was chosen by the first."""
        try:
            stopped = {
                instance.id
                for instance in self._ports.ec2.instances()
                if instance.state is InstanceState.STOPPED
            }
        except GridwellError as error:
            return [
                Outcome(action=Action.TERMINATE, instance=name, problem=_words(error))
                for name in plan.terminate
            ]
        return [self._terminate(name, stopped=name in stopped) for name in plan.terminate]

    def _terminate(self, name: str, *, stopped: bool) -> Outcome:
        outcome = Outcome(action=Action.TERMINATE, instance=name)
        if not stopped:
            return replace(outcome, problem="it is no longer stopped")
        try:
            self._ports.ec2.terminate(name)
        except GridwellError as error:
            return replace(outcome, problem=_words(error))
        return outcome

    def _succeeded(self, slot: Slot, *, seen: Slot | None = None) -> None:
        clean = replace(slot, failures=0, not_before=0.0)
        if clean != (slot if seen is None else seen):
            self._note(clean, seen=slot)

    def _count_failure(self, slot: Slot) -> None:
        failures = slot.failures + 1
        not_before = self._ports.clock.now() + retry_pause(failures)
        self._note(replace(slot, failures=failures, not_before=not_before), seen=slot)

    def _note(self, slot: Slot, *, seen: Slot) -> None:
        """Write what happened; if the ledger is away, the next look at EC2 tells the same."""
        try:
            self._ports.ledger.write_slot(slot, seen=seen)
        except GridwellError as error:
            _LOG.warning(
                "What became of slot %02d is not in the ledger: %s",
                slot.number,
                _words(error),
                extra={"action": "fleet.slot_not_written", "slot": slot.number},
            )


def _refused(error: GridwellError) -> bool:
    """Whether a call surely had no effect: all but the errors that leave it open."""
    return isinstance(error, NoCapacity) or not isinstance(error, ServiceBusy)


def _words(error: GridwellError) -> str:
    return f"{type(error).__name__}: {error}"
