"""EC2 in memory: states that last, tokens that repeat, capacity that ends."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridwell.engine.errors import NoCapacity, ServiceDenied, ServiceError, WrongState
from gridwell.fleet.model import Instance, InstanceState, Offering
from gridwell.fleet.refusal import ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.engine.ports import Clock

_BILLED = (InstanceState.PENDING, InstanceState.RUNNING)


@dataclass(slots=True)
class _Machine:
    id: str
    slot: int | None
    token: str | None
    release: str
    launched: float
    state: InstanceState
    until: float  #: when a passing state ends
    offer: Offering
    reason: str = ""
    shown: Instance | None = None  #: as it was last described

    def describe(self) -> Instance:
        """It as EC2 shows it: the same object for as long as nothing changes."""
        last = self.shown
        now = self.state, self.launched, self.reason, self.slot
        if last is None or (last.state, last.launched, last.reason, last.slot) != now:
            self.shown = last = Instance(
                id=self.id,
                state=self.state,
                launched=self.launched,
                slot=self.slot,
                token=self.token,
                release=self.release,
                arn=f"arn:aws:ec2:us-east-1:123456789012:instance/{self.id}",
                reason=self.reason,
                type=self.offer.type,
                subnet=self.offer.subnet,
            )
        return last


class MemoryEc2:
    """Keeps the promises of `gridwell.fleet.ports.Ec2`.

    Args:
        clock: whose time states are measured in.
        boot_seconds: how long an instance is pending.
        stop_seconds: how long it is stopping, or shutting down.
        capacity: how many may be pending or running together.
        release: what a launch runs; None: there is no image.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        boot_seconds: float = 25.0,
        stop_seconds: float = 30.0,
        capacity: int = 1000,
        release: str | None = "release-1",
    ) -> None:
        self._clock = clock
        self.boot_seconds = boot_seconds
        self.stop_seconds = stop_seconds
        self.capacity = capacity
        self.current_release = release
        self.full: set[Offering] = set()  #: offers without capacity
        #: What EC2 answers instead, by an action (start, launch, stop, terminate) and an instance's
        #: id, an offer's name or `ALL`; a refused call has no effect.
        self.refusals: dict[tuple[str, str], ServiceError] = {}
        self.stuck_pending: set[str] = set()  #: instances that never come to run
        self._machines: dict[str, _Machine] = {}
        self._numbers = itertools.count(1)

    def instances(self, only: Sequence[str] = ()) -> tuple[Instance, ...]:
        """See `gridwell.fleet.ports.Ec2`."""
        self._settle()
        return tuple(
            machine.describe()
            for machine in self._machines.values()
            if not only or machine.id in only
        )

    def release(self) -> str | None:
        """See `gridwell.fleet.ports.Ec2`."""
        return self.current_release

    def launch(self, slot: int, token: str, offer: Offering | None = None) -> str:
        """See `gridwell.fleet.ports.Ec2`."""
        self._settle()
        for machine in self._machines.values():
            if machine.token == token:
                return machine.id
        if self.current_release is None:
            raise ServiceDenied("there is no image to launch; bake one first")
        asked = offer or Offering()
        self._refuse("launch", asked.name)
        self._check_capacity(asked)
        machine = _Machine(
            id=f"i-{next(self._numbers):017x}",
            slot=slot,
            token=token,
            release=self.current_release,
            launched=self._clock.now(),
            state=InstanceState.PENDING,
            until=self._clock.now() + self.boot_seconds,
            offer=Offering(type=asked.type or "c7i.large", subnet=asked.subnet or "subnet-0"),
        )
        self._machines[machine.id] = machine
        return machine.id

    def start(self, instance: str) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        machine = self._machine(instance)
        if machine.state in _BILLED:
            return
        if machine.state is not InstanceState.STOPPED:
            raise WrongState(f"{instance} is {machine.state} and cannot be started")
        self._refuse("start", instance)
        self._check_capacity(machine.offer)
        machine.state = InstanceState.PENDING
        machine.reason = ""
        machine.launched = self._clock.now()
        machine.until = self._clock.now() + self.boot_seconds

    def stop(self, instance: str, *, force: bool = False) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        machine = self._machine(instance)
        if machine.state in (InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED):
            raise WrongState(f"{instance} is {machine.state} and cannot be stopped")
        if machine.state is InstanceState.PENDING:
            raise WrongState(f"{instance} is pending and cannot be stopped before it runs")
        self._refuse("stop", instance)
        if machine.state in _BILLED:
            machine.state = InstanceState.STOPPING
            machine.until = self._clock.now() + self.stop_seconds
            machine.reason = "Client.UserInitiatedShutdown"
        if force and machine.state is InstanceState.STOPPING:
            machine.until = self._clock.now()

    def terminate(self, instance: str) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        machine = self._machine(instance)
        self._refuse("terminate", instance)
        if machine.state not in (InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED):
            machine.state = InstanceState.SHUTTING_DOWN
            machine.until = self._clock.now() + self.stop_seconds

    def power_off(self, instance: str) -> None:
        """What the instance does itself when its worker found the queue idle."""
        machine = self._machine(instance)
        if machine.state in _BILLED:
            machine.state = InstanceState.STOPPING
            machine.until = self._clock.now() + self.stop_seconds
            machine.reason = "Client.InstanceInitiatedShutdown"

    def fall_back(self, instance: str) -> None:
        """What EC2 does when it finds no room for an instance after it agreed to start it."""
        machine = self._machine(instance)
        machine.state = InstanceState.STOPPED
        machine.reason = "Server.InsufficientInstanceCapacity"

    def untag(self, instance: str) -> None:
        """What somebody does who removes the tag of its slot."""
        self._machine(instance).slot = None

    def protect(self, instance: str) -> None:
        """What somebody does who forbids its termination."""
        self.refusals["terminate", instance] = ServiceDenied(
            f"the instance {instance} may not be terminated: modify its 'disableApiTermination'",
            code="OperationNotPermitted",
        )

    def _refuse(self, action: str, target: str) -> None:
        for what in (target, ALL):
            if (action, what) in self.refusals:
                raise self.refusals[action, what].with_traceback(None)

    def _machine(self, instance: str) -> _Machine:
        self._settle()
        if instance not in self._machines:
            raise WrongState(f"there is no instance {instance}")
        return self._machines[instance]

    def _check_capacity(self, offer: Offering) -> None:
        if offer in self.full:
            raise NoCapacity(f"no capacity for {offer}")
        billed = sum(machine.state in _BILLED for machine in self._machines.values())
        if billed >= self.capacity:
            raise NoCapacity(f"no capacity for more than {self.capacity} instances")

    def _settle(self) -> None:
        """Let passing states end whose time has come."""
        now = self._clock.now()
        for machine in self._machines.values():
            if machine.state is InstanceState.PENDING and machine.id in self.stuck_pending:
                continue
            if now >= machine.until:
                machine.state = _AFTER.get(machine.state, machine.state)


_AFTER = {
    InstanceState.PENDING: InstanceState.RUNNING,
    InstanceState.STOPPING: InstanceState.STOPPED,
    InstanceState.SHUTTING_DOWN: InstanceState.TERMINATED,
}
