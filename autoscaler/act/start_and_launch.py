"""Starting and launching: every intent is written before its call."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from autoscaler.decide.boot_health import begun, failed
from autoscaler.decide.launch_intents import Intent, intent_of, launch_token
from autoscaler.decide.model import Read
from autoscaler.decide.offerings import refused
from autoscaler.decide.outcome import Action, ActionOutcome, is_no, unasked
from autoscaler.decide.outcome import refused as refused_by_ec2
from gridwell.engine.errors import GridwellError, NoCapacity, Throttled
from gridwell.fleet.model import Offering, Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from autoscaler.act.leadership_check import LeadershipCheck
    from autoscaler.decide.model import Policy, Snapshot, Start
    from autoscaler.observe import ObservedPorts

_REFUSALS: Final = 2  #: slots that are refused an offer before no other asks for it in a round

_LOG: Final = logging.getLogger(__name__)


class LaunchOfferings:
    """The offers of one round: what one slot was refused is not asked again for all others.

    Args:
        offers: the best first.
    """

    def __init__(self, offers: Iterable[Offering]) -> None:
        self.left = list(offers)
        self._refused: Counter[Offering] = Counter()

    def answered(self, offer: Offering, error: GridwellError | None) -> None:
        """Go on without an offer that EC2 has no room for, or refuses to slot after slot.

        One whose launch had no answer comes last.
        """
        if error is None or isinstance(error, Throttled) or offer not in self.left:
            return
        self._refused[offer] += 1
        self.left.remove(offer)
        gone = isinstance(error, NoCapacity) or self._refused[offer] >= _REFUSALS
        if not gone or not is_no(error):
            self.left.append(offer)


class Grower:
    """Starts and launches instances.

    Args:
        ports: what to act through.
        policy: how long an intent holds.
        fleet: the fleet's name, part of every token.
        guard: asked before each call.
    """

    def __init__(
        self, ports: ObservedPorts, policy: Policy, *, fleet: str, guard: LeadershipCheck
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._fleet = fleet
        self._guard = guard

    def start(self, chosen: Start, slot: Slot, snapshot: Snapshot) -> tuple[ActionOutcome, bool]:
        """Start one instance: what became of it, and whether EC2 clearly refused.

        Raises:
            RoundEnded: see `LeadershipCheck`.
        """
        outcome = ActionOutcome(action=Action.START, instance=chosen.instance, slot=slot.number)
        self._guard.check(outcome)
        # The ledger first: a boot is measured from here, also where EC2 keeps the LaunchTime of
        # the instance's first life.
        now = self._ports.clock.now()
        started = replace(
            begun(slot, release=snapshot.release, now=now, heard=_heard(chosen.instance, snapshot)),
            instance=chosen.instance,
            condemned=None,
            fence=self._guard.fence,
        )
        try:
            if not self._ports.ledger.write_slot(started, seen=slot):
                return replace(outcome, problem="somebody else acted in its slot"), False
        except GridwellError as error:
            return unasked(outcome, error), False
        self._guard.check(outcome)
        try:
            self._ports.ec2.start(chosen.instance)
        except GridwellError as error:
            offer = _offer_of(chosen.instance, snapshot) if isinstance(error, NoCapacity) else None
            seen = started
            if is_no(error) or isinstance(error, Throttled):
                # Nothing happened: it is as old, and was off for as long, as before.
                seen = replace(
                    started, started_at=slot.started_at, stopped_since=slot.stopped_since
                )
            self._count_failure(seen, offer, error)
            return refused_by_ec2(outcome, error), is_no(error)
        self._note(replace(started, unproven=True), seen=started)
        return outcome, False

    def launch(
        self, slot: Slot, offers: LaunchOfferings, snapshot: Snapshot
    ) -> Iterator[ActionOutcome]:
        """Launch one instance, by the first offer that EC2 does not refuse.

        Raises:
            RoundEnded: see `LeadershipCheck`.
        """
        outcome = ActionOutcome(action=Action.LAUNCH, slot=slot.number)
        if self._is_unanswered(slot, snapshot):
            slot, outcome, _ = self._ask(slot, outcome)
            yield outcome
            return
        left = list(offers.left)
        if not left:
            yield replace(outcome, problem="no offer with capacity is left in this round")
        while left:
            try:
                intent = self._intend(slot, left[0], snapshot.release, outcome)
            except GridwellError as error:
                # Whether the intent was written is unknown; without it there must be no launch.
                yield unasked(outcome, error)
                return
            if intent is None:
                yield replace(outcome, problem="somebody else acted in this slot")
                return
            slot, tried, answer = self._ask(intent, outcome)
            yield tried
            offers.answered(left[0], answer)
            if answer is None or not is_no(answer):
                return
            left.pop(0)

    def _ask(
        self, intent: Slot, outcome: ActionOutcome
    ) -> tuple[Slot, ActionOutcome, GridwellError | None]:
        """Launch by a written intent: the slot after it, what became of it, and EC2's error."""
        outcome = replace(outcome, offer=intent.offer or Offering())
        self._guard.check(outcome)
        # A machine may sleep between any two lines.  An intent that is too old by now may have been
        # given up by another autoscaler.
        now = self._ports.clock.now()
        if now - (intent.started_at or 0.0) > self._policy.ask_seconds:
            problem = "its intent is too old to be asked again"
            return intent, replace(outcome, problem=problem), None
        try:
            name = self._ports.ec2.launch(intent.number, intent.token or "", intent.offer)
        except GridwellError as error:
            # A lost reply is no failure: the same token is asked again at the next tick, and
            # before any other slot, so that it costs no second instance.
            if not is_no(error):
                return intent, refused_by_ec2(outcome, error), error
            offer = (intent.offer or Offering()) if isinstance(error, NoCapacity) else None
            # A clear no ends the intent: its place is free, also for another offer.
            answered = self._count_failure(replace(intent, token=None), offer, error)
            return answered, refused_by_ec2(outcome, error), error
        made = replace(
            intent, instance=name, started_at=now, unproven=True, fence=self._guard.fence
        )
        self._note(made, seen=intent)
        return made, replace(outcome, instance=name), None

    def _is_unanswered(self, slot: Slot, snapshot: Snapshot) -> bool:
        intent = intent_of(
            slot,
            snapshot.instances,
            now=snapshot.taken_at,
            intent_seconds=self._policy.intent_seconds,
        )
        return intent is Intent.UNANSWERED

    def _intend(
        self, slot: Slot, offer: Offering, release: str | None, outcome: ActionOutcome
    ) -> Slot | None:
        """Store a launch intent in a slot and return it; None: another writer was first."""
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

    def _count_failure(self, slot: Slot, offer: Offering | None, error: GridwellError) -> Slot:
        """Let a slot pause; after a throttled call it was not the slot's fault."""
        if isinstance(error, Throttled):
            self._note(slot, seen=slot)
            return slot
        now = self._ports.clock.now()
        worse = failed(slot, now=now)
        if offer is not None:
            worse = refused(worse, offer, now=now)
        self._note(worse, seen=slot)
        return worse

    def _note(self, slot: Slot, *, seen: Slot) -> None:
        """Store an outcome; if the ledger is unavailable, the next observation shows the same."""
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
    """Return the mark of an instance's last heartbeat; empty: there was none; None: unknown."""
    if Read.HEARTBEATS in snapshot.unknown:
        return None
    arns = (i.arn for i in snapshot.instances if i.id == name)
    beats = (snapshot.heartbeats.get(arn) for arn in arns)
    return next((beat.mark for beat in beats if beat is not None), "")


def _offer_of(name: str, snapshot: Snapshot) -> Offering | None:
    return next((i.offer for i in snapshot.instances if i.id == name), None)
