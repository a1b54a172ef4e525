"""Stopping and terminating: only what the last look before the call shows to be of no use."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from autoscaler.decide.failures import NONE
from autoscaler.decide.outcome import Action, ActionOutcome, is_no, refused, unasked
from autoscaler.decide.slot_assignment import placed
from autoscaler.decide.unresponsive import action_of, orphan
from gridwell.engine.errors import GridwellError
from gridwell.fleet.model import InstanceState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.act.leadership_check import LeadershipCheck
    from autoscaler.decide.failures import FailureMemory
    from autoscaler.decide.model import Policy, Stop
    from autoscaler.observe import ObservedPorts
    from gridwell.fleet.model import Instance, Slot

_LOG: Final = logging.getLogger(__name__)


class Shrinker:
    """Stops and terminates instances.

    Args:
        ports: what to act through.
        policy: the grace of a boot and of a silence.
        guard: asked before each call.
    """

    def __init__(self, ports: ObservedPorts, policy: Policy, *, guard: LeadershipCheck) -> None:
        self._ports = ports
        self._policy = policy
        self._guard = guard

    def stop(
        self, stop: Stop, slots: Mapping[int, Slot], failures: FailureMemory = NONE
    ) -> ActionOutcome:
        """Stop an instance that is still of no use, as the last look before the call shows it.

        Raises:
            RoundEnded: see `LeadershipCheck`.
        """
        outcome = ActionOutcome(action=Action(action_of(stop)), instance=stop.instance)
        try:
            self._guard.confirm(outcome)
            instance = self._look(stop.instance, slots)
            if instance is None:
                return replace(outcome, problem="EC2 shows it no longer")
            beats = self._ports.ledger.heartbeats([instance.arn])
            suspected = stop.suspect and self._ports.ledger.suspects([instance.arn])
        except GridwellError as error:
            return unasked(outcome, error)
        now = self._ports.clock.now()
        found = orphan(instance, beats, slots, now=now, policy=self._policy, failures=failures)
        if found != stop and not (suspected and instance.state is InstanceState.RUNNING):
            return replace(outcome, problem="it is of use again, or has stopped")
        self._guard.check(outcome)
        try:
            if stop.terminate:
                self._ports.ec2.terminate(stop.instance)
            else:
                self._ports.ec2.stop(stop.instance, force=stop.force)
        except GridwellError as error:
            return refused(outcome, error)
        return outcome

    def terminate(self, name: str, slots: Mapping[int, Slot]) -> ActionOutcome:
        """Terminate an instance that is still stopped, as the last look before the call shows it.

        Its slot is marked first: from then on no autoscaler starts it, however long this one sleeps
        before the call.  If EC2 clearly refuses, the mark is removed.

        Raises:
            RoundEnded: see `LeadershipCheck`.
        """
        outcome = ActionOutcome(action=Action.TERMINATE, instance=name)
        try:
            self._guard.confirm(outcome)
            instance = self._look(name, slots)
            number = None if instance is None else instance.slot
            slot = None if number is None else slots.get(number)
            if slot is not None and slot.condemned != name:
                marked = replace(slot, condemned=name, fence=self._guard.fence)
                if not self._ports.ledger.write_slot(marked, seen=slot):
                    return replace(outcome, problem="somebody else acted in its slot")
                instance, slot = self._look(name, slots), marked
            if instance is None or instance.state is not InstanceState.STOPPED:
                return replace(outcome, problem="it is no longer stopped")
        except GridwellError as error:
            return unasked(outcome, error)
        self._guard.check(outcome)
        try:
            self._ports.ec2.terminate(name)
        except GridwellError as error:
            if slot is not None and is_no(error):
                self._spare(slot)
            return refused(outcome, error)
        return outcome

    def _spare(self, slot: Slot) -> None:
        """Let an instance be started again that EC2 would not terminate: it may be all there is."""
        spared = replace(slot, condemned=None, fence=self._guard.fence)
        try:
            self._ports.ledger.write_slot(spared, seen=slot)
        except GridwellError as error:
            _LOG.warning(
                "slot %02d still says that its instance is to be terminated: %s: %s; the next "
                "refusal takes that back",
                slot.number,
                type(error).__name__,
                error,
                extra={"action": "fleet.slot_not_written", "slot": slot.number},
            )

    def _look(self, name: str, slots: Mapping[int, Slot]) -> Instance | None:
        """Return one instance as EC2 shows it now, or None if it lacks our tag."""
        shown = placed(self._ports.ec2.instances(only=(name,)), slots.values())
        return next((i for i in shown if i.id == name), None)
