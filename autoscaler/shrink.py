"""Stopping and terminating: only what the last look before the call shows to be of no use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.orphans import orphan
from autoscaler.outcome import Action, Guard, Outcome
from gridwell.domain.errors import GridwellError
from gridwell.domain.fleet import InstanceState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.model import Policy, Stop
    from autoscaler.observe import Ports
    from gridwell.domain.fleet import Instance, Slot


class Shrinker:
    """Stops and terminates instances.

    Args:
        ports: what to act through.
        policy: the grace of a boot and of a silence.
        guard: asked before each call.
    """

    def __init__(self, ports: Ports, policy: Policy, *, guard: Guard) -> None:
        self._ports = ports
        self._policy = policy
        self._guard = guard

    def stop(self, stop: Stop, slots: Mapping[int, Slot]) -> Outcome:
        """Stop an instance that is still of no use, as the last look before the call shows it.

        Raises:
            Ended: see `Guard`.
        """
        outcome = Outcome(action=Action.STOP, instance=stop.instance)
        try:
            self._guard.confirm(outcome)
            instance = self._look(stop.instance)
            if instance is None:
                return replace(outcome, problem="EC2 shows it no longer")
            beats = self._ports.ledger.heartbeats([instance.arn])
            now = self._ports.clock.now()
            if orphan(instance, beats, slots, now=now, policy=self._policy) != stop:
                return replace(outcome, problem="it is of use again, or has stopped")
            self._guard.check(outcome)
            self._ports.ec2.stop(stop.instance, force=stop.force)
        except GridwellError as error:
            return self._guard.failed(outcome, error)
        return outcome

    def terminate(self, name: str, slots: Mapping[int, Slot]) -> Outcome:
        """Terminate an instance that is still stopped, as the last look before the call shows it.

        Its slot says so first: from then on nobody starts it, however long this machine sleeps
        before the call.

        Raises:
            Ended: see `Guard`.
        """
        outcome = Outcome(action=Action.TERMINATE, instance=name)
        try:
            self._guard.confirm(outcome)
            instance = self._look(name)
            number = None if instance is None else instance.slot
            slot = None if number is None else slots.get(number)
            if slot is not None and slot.condemned != name:
                given_up = replace(slot, condemned=name, fence=self._guard.fence)
                if not self._ports.ledger.write_slot(given_up, seen=slot):
                    return replace(outcome, problem="somebody else acted in its slot")
                instance = self._look(name)
            if instance is None or instance.state is not InstanceState.STOPPED:
                return replace(outcome, problem="it is no longer stopped")
            self._guard.check(outcome)
            self._ports.ec2.terminate(name)
        except GridwellError as error:
            return self._guard.failed(outcome, error)
        return outcome

    def _look(self, name: str) -> Instance | None:
        """One instance as EC2 shows it now, if it carries our tag."""
        return next((i for i in self._ports.ec2.instances(only=(name,)) if i.id == name), None)
