"""Starting and launching: every intent is written before its call."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from autoscaler.boots import begun, failed
from autoscaler.intents import Intent, intent_of, launch_token
from autoscaler.model import Read
from autoscaler.offers import refused
from autoscaler.outcome import Action, Guard, Outcome, is_no
from gridwell.domain.errors import GridwellError, NoCapacity, Throttled
from gridwell.domain.fleet import Offer, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscaler.model import Policy, Snapshot, Start
    from autoscaler.observe import Ports

_LOG: Final = logging.getLogger(__name__)


class Grower:
    """Starts and launches instances.

    Args:
        ports: what to act through.
        policy: how long an intent holds.
        fleet: the fleet's name, part of every token.
        guard: asked before each call.
    """

    def __init__(self, ports: Ports, policy: Policy, *, fleet: str, guard: Guard) -> None:
        self._ports = ports
        self._policy = policy
        self._fleet = fleet
        self._guard = guard

    def start(self, chosen: Start, slot: Slot, snapshot: Snapshot) -> tuple[Outcome, bool]:
        """Start one instance: what became of it, and whether EC2 clearly refused.

        Raises:
            Ended: see `Guard`.
        """
        outcome = Outcome(action=Action.START, instance=chosen.instance, slot=slot.number)
        self._guard.check(outcome)
        # The ledger first: a boot is measured from here, also where EC2 keeps the LaunchTime of
        # the instance's first life.
        now = self._ports.clock.now()
        started = replace(
            begun(slot, release=snapshot.release, now=now, heard=_heard(chosen.instance, snapshot)),
            instance=chosen.instance,
            fence=self._guard.fence,
        )
        try:
            if not self._ports.ledger.write_slot(started, seen=slot):
                return replace(outcome, problem="somebody else acted in its slot"), False
        except GridwellError as error:
            return self._guard.failed(outcome, error), False
        self._guard.check(outcome)
        try:
            self._ports.ec2.start(chosen.instance)
        except GridwellError as error:
            offer = _offer_of(chosen.instance, snapshot) if isinstance(error, NoCapacity) else None
            self._count_failure(started, offer, error)
            return self._guard.failed(outcome, error), is_no(error)
        self._note(replace(started, unproven=True), seen=started)
        return outcome, False

    def launch(self, slot: Slot, offers: list[Offer], snapshot: Snapshot) -> Iterator[Outcome]:
        """Launch one instance, by the first offer that EC2 has capacity for.

        An offer without capacity is struck off the list: EC2 has none for the next slot either.

        Raises:
            Ended: see `Guard`.
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
                yield self._guard.failed(outcome, error)
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
        self._guard.check(outcome)
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
            if not is_no(error):
                return intent, self._guard.failed(outcome, error), False
            no_room = isinstance(error, NoCapacity)
            offer = (intent.offer or Offer()) if no_room else None
            # A clear no ends the intent: its place is free, also for another offer.
            answered = self._count_failure(replace(intent, token=None), offer, error)
            return answered, self._guard.failed(outcome, error), no_room
        made = replace(
            intent, instance=name, started_at=now, unproven=True, fence=self._guard.fence
        )
        self._note(made, seen=intent)
        return made, replace(outcome, instance=name), False

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
        self._guard.check(outcome)
        epoch = slot.epoch + 1
        intent = replace(
            begun(slot, release=release, now=self._ports.clock.now()),
            epoch=epoch,
            token=launch_token(self._fleet, slot.number, epoch),
            instance=None,
            offer=offer,
            condemned=None,
            fence=self._guard.fence,
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


def _heard(name: str, snapshot: Snapshot) -> str | None:
    """The mark of an instance's last heartbeat; empty: there was none; None: it is not known."""
    if Read.HEARTBEATS in snapshot.unknown:
        return None
    arns = (i.arn for i in snapshot.instances if i.id == name)
    beats = (snapshot.heartbeats.get(arn) for arn in arns)
    return next((beat.mark for beat in beats if beat is not None), "")


def _offer_of(name: str, snapshot: Snapshot) -> Offer | None:
    return next((i.offer for i in snapshot.instances if i.id == name), None)
