"""Carrying a fleet plan out: every action by itself, every intent written before its call.

What goes wrong with one instance is an outcome, not an exception: the others go on, and the next
tick looks at the world again.  Only two things end a round: AWS wants fewer calls, or the lease
is no longer ours.
"""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from autoscaler.boots import begun, failed
from autoscaler.intents import Intent, intent_of, launch_token
from autoscaler.offers import refused
from autoscaler.orphans import orphan
from gridwell.domain.errors import GridwellError, NoCapacity, ServiceBusy, Throttled
from gridwell.domain.fleet import InstanceState, Offer, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autoscaler.model import FleetPlan, Policy, Snapshot, Start, Stop
    from autoscaler.observe import Learned, Ports
    from autoscaler.tenure import Tenure
    from gridwell.domain.fleet import Instance

_LOG: Final = logging.getLogger(__name__)
_NOT_OURS: Final = "the lease is no longer ours"


class Action(enum.StrEnum):
    """What can be done to the fleet."""

    START = "start"
    LAUNCH = "launch"
    TERMINATE = "terminate"
    STOP = "stop"


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


class _Ended(Exception):  # noqa: N818 - it ends a round, and is no error
    """This round is to do nothing more."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome = outcome
        super().__init__()


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
        self._ports = ports
        self._policy = policy
        self._fleet = fleet
        self._tenure = tenure
        self._halted = halted

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
        except _Ended as end:
            if end.outcome is not None:
                yield end.outcome

    def _round(self, plan: FleetPlan, snapshot: Snapshot) -> Iterator[Outcome]:
        slots = {slot.number: slot for slot in snapshot.slots}
        numbers = list(plan.launch)
        candidates, spare, reserve = list(plan.start), list(plan.spare), list(plan.reserve)
        while candidates:
            chosen = candidates.pop(0)
            outcome, no = self._start(chosen, slots[chosen.slot], snapshot)
            yield outcome
            # Only a clear no lets another one go in its place: after a lost reply the first may
            # well be booting.
            if no and spare:
                candidates.append(spare.pop(0))
            elif no and reserve:
                numbers.append(reserve.pop(0))
        offers = list(plan.offers)
        for number in numbers:
            slot = slots.get(number, Slot(number=number))
            yield from self._launch(slot, offers, snapshot)
        for stop in plan.stop:
            yield self._stop(stop, slots)
        for name in plan.terminate:
            yield self._terminate(name, slots)

    # --- one action each

    def _start(self, chosen: Start, slot: Slot, snapshot: Snapshot) -> tuple[Outcome, bool]:
        """Start one instance: what became of it, and whether EC2 clearly refused."""
        outcome = Outcome(action=Action.START, instance=chosen.instance, slot=slot.number)
        self._check(outcome)
        # The ledger first: a boot is measured from here, also where EC2 keeps the LaunchTime of
        # the instance's first life.
        now = self._ports.clock.now()
        started = replace(
            begun(slot, release=snapshot.release, now=now),
            instance=chosen.instance,
            fence=self._tenure.fence,
        )
        try:
            if not self._ports.ledger.write_slot(started, seen=slot):
                return replace(outcome, problem="somebody else acted in its slot"), False
        except GridwellError as error:
            return self._failed(outcome, error), False
        self._check(outcome)
        try:
            self._ports.ec2.start(chosen.instance)
        except GridwellError as error:
            offer = _offer_of(chosen.instance, snapshot) if isinstance(error, NoCapacity) else None
            self._count_failure(started, offer, error)
            return self._failed(outcome, error), _is_no(error)
        self._note(replace(started, unproven=True), seen=started)
        return outcome, False

    def _launch(self, slot: Slot, offers: list[Offer], snapshot: Snapshot) -> Iterator[Outcome]:
        """Launch one instance, by the first offer that EC2 has capacity for.

        An offer without capacity is struck off the list: EC2 has none for the next slot either.
        """
        outcome = Outcome(action=Action.LAUNCH, slot=slot.number)
        if self._is_unanswered(slot, snapshot):
            slot, outcome, _ = self._ask(slot, outcome)
            yield outcome
            return
        if not offers:
            yield replace(outcome, problem="no offer with capacity is left in this round")
        while offers:
            try:
                intent = self._intend(slot, offers[0], snapshot.release, outcome)
            except GridwellError as error:
                # Whether the intent was written is unknown; without it there must be no launch.
                yield self._failed(outcome, error)
                return
            if intent is None:
                yield replace(outcome, problem="somebody else acted in this slot")
                return
            slot, tried, no_room = self._ask(intent, outcome)
            yield tried
            if not no_room:
                return
            offers.pop(0)

    def _ask(self, intent: Slot, outcome: Outcome) -> tuple[Slot, Outcome, bool]:
        """Launch by a written intent: the slot after it, what became of it, whether for no room."""
        self._check(outcome)
        # A machine may sleep between any two lines.  An intent that is too old by now may have been
        # given up by another autoscaler.
        now = self._ports.clock.now()
        if now - (intent.started_at or 0.0) > self._policy.ask_seconds:
            problem = "its intent is too old to be asked again"
            return intent, replace(outcome, problem=problem), False
        try:
            name = self._ports.ec2.launch(intent.number, intent.token or "", intent.offer)
        except GridwellError as error:
            # A lost reply is no failure: the same token is asked again at the next tick, and
            # before any other slot, so that it costs no second instance.
            if not _is_no(error):
                return intent, self._failed(outcome, error), False
            no_room = isinstance(error, NoCapacity)
            offer = (intent.offer or Offer()) if no_room else None
            return self._count_failure(intent, offer, error), self._failed(outcome, error), no_room
        made = replace(
            intent, instance=name, started_at=now, unproven=True, fence=self._tenure.fence
        )
        self._note(made, seen=intent)
        return made, replace(outcome, instance=name), False

    def _stop(self, stop: Stop, slots: dict[int, Slot]) -> Outcome:
        """Stop an instance that is still of no use, as the last look before the call shows it."""
        outcome = Outcome(action=Action.STOP, instance=stop.instance)
        try:
            self._confirm(outcome)
            instance = self._look(stop.instance)
            if instance is None:
                return replace(outcome, problem="EC2 shows it no longer")
            beats = self._ports.ledger.heartbeats([instance.arn])
            now = self._ports.clock.now()
            if orphan(instance, beats, slots, now=now, policy=self._policy) != stop:
                return replace(outcome, problem="it is of use again, or has stopped")
            self._check(outcome)
            self._ports.ec2.stop(stop.instance, force=stop.force)
        except GridwellError as error:
            return self._failed(outcome, error)
        return outcome

    def _terminate(self, name: str, slots: dict[int, Slot]) -> Outcome:
        """Terminate an instance that is still stopped, as the last look before the call shows it.

        Its slot says so first: from then on nobody starts it, however long this machine sleeps
        before the call.
        """
        outcome = Outcome(action=Action.TERMINATE, instance=name)
        try:
            self._confirm(outcome)
            instance = self._look(name)
            number = None if instance is None else instance.slot
            slot = None if number is None else slots.get(number)
            if slot is not None and slot.condemned != name:
                given_up = replace(slot, condemned=name, fence=self._tenure.fence)
                if not self._ports.ledger.write_slot(given_up, seen=slot):
                    return replace(outcome, problem="somebody else acted in its slot")
                instance = self._look(name)
            if instance is None or instance.state is not InstanceState.STOPPED:
                return replace(outcome, problem="it is no longer stopped")
            self._check(outcome)
            self._ports.ec2.terminate(name)
        except GridwellError as error:
            return self._failed(outcome, error)
        return outcome

    # --- their parts

    def _look(self, name: str) -> Instance | None:
        """One instance as EC2 shows it now, if it carries our tag."""
        return next((i for i in self._ports.ec2.instances(only=(name,)) if i.id == name), None)

    def _check(self, outcome: Outcome) -> None:
        """End the round unless the next call may be made: told to stop, or the lease has ended."""
        if self._halted():
            raise _Ended
        if not self._tenure.holds:
            raise _Ended(replace(outcome, problem=_NOT_OURS))

    def _confirm(self, outcome: Outcome) -> None:
        """The same, and proved by a write where the action itself writes no slot."""
        self._check(outcome)
        if not self._tenure.renew():
            raise _Ended(replace(outcome, problem=_NOT_OURS))

    def _is_unanswered(self, slot: Slot, snapshot: Snapshot) -> bool:
        intent = intent_of(
            slot,
            snapshot.instances,
            now=snapshot.taken_at,
            intent_seconds=self._policy.intent_seconds,
        )
        return intent is Intent.UNANSWERED

    def _intend(
        self, slot: Slot, offer: Offer, release: str | None, outcome: Outcome
    ) -> Slot | None:
        """The slot with a new intent in the ledger; None: somebody else was there."""
        self._check(outcome)
        epoch = slot.epoch + 1
        intent = replace(
            begun(slot, release=release, now=self._ports.clock.now()),
            epoch=epoch,
            token=launch_token(self._fleet, slot.number, epoch),
            instance=None,
            offer=offer,
            condemned=None,
            fence=self._tenure.fence,
        )
        return intent if self._ports.ledger.write_slot(intent, seen=slot) else None

    def _count_failure(self, slot: Slot, offer: Offer | None, error: GridwellError) -> Slot:
        """Let a slot pause; after a throttled call it was not the slot's fault."""
        if isinstance(error, Throttled):
            return slot
        now = self._ports.clock.now()
        worse = failed(slot, now=now)
        if offer is not None:
            worse = refused(worse, offer, now=now)
        self._note(worse, seen=slot)
        return worse

    def _failed(self, outcome: Outcome, error: GridwellError) -> Outcome:
        """The outcome with its problem; a throttled call ends the round with it."""
        told = replace(outcome, problem=f"{type(error).__name__}: {error}")
        if isinstance(error, Throttled):
            raise _Ended(told) from error
        return told

    def _note(self, slot: Slot, *, seen: Slot) -> None:
        """Write what happened; if the ledger is away, the next look at EC2 tells the same."""
        try:
            self._ports.ledger.write_slot(slot, seen=seen)
        except GridwellError as error:
            _LOG.warning(
                "What became of slot %02d is not in the ledger: %s: %s",
                slot.number,
                type(error).__name__,
                error,
                extra={"action": "fleet.slot_not_written", "slot": slot.number},
            )


def _offer_of(name: str, snapshot: Snapshot) -> Offer | None:
    return next((i.offer for i in snapshot.instances if i.id == name), None)


def _is_no(error: GridwellError) -> bool:
    """Whether a call surely had no effect: all but the errors that leave it open."""
    return isinstance(error, NoCapacity) or not isinstance(error, ServiceBusy)
