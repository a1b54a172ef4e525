"""EC2 in virtual time: slow states, late describes, no capacity; and its invariants."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.adapters.memory import MemoryEc2
from gridwell.engine.errors import NoCapacity, ServiceError
from gridwell.fleet.model import Instance, InstanceState, Offering
from tests.simulation.faults import DESCRIBE_LAG, LONGEST_BOOT, LONGEST_STOP, STUCK_STOP
from tests.simulation.invariants import (
    I7_CAP,
    I7_EPOCH,
    I7_ON,
    I7_SLOT,
    I8_AGED,
    I8_ALIVE,
    I8_STOPPED,
    I20,
)
from tests.simulation.kernel import MachineClock
from tests.simulation.port import WATCHDOG_SECONDS
from tests.simulation.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.kernel import Simulation

ON: Final = (InstanceState.PENDING, InstanceState.RUNNING)
BROKEN: Final = "broken"  #: how the names of releases begin whose worker never starts
#: A start may be long on its way, and follow a look at what was before.
_NOT_SEEN: Final = DESCRIBE_LAG + WATCHDOG_SECONDS + 10.0
BILLED: Final = (*ON, InstanceState.STOPPING)
OFF: Final = (InstanceState.STOPPED, InstanceState.TERMINATED)
_REFUSED: Final = 2  #: terminations that EC2 refused, before a machine may be left uncounted


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What EC2's world knows, and is told."""

    boot: Callable[[str], None]  #: an instance's machine is up, and its worker is to start
    cut: Callable[[str], None]  #: it is stopped from outside
    grown: Callable[[], None]  #: an instance was started or launched
    silent: Callable[[Instance], float]  #: for how long one that is on gave no sign of life
    mute: Callable[[Instance], bool]  #: whether no heartbeat came since it was last started
    given_up: Callable[[Instance], bool]  #: whether it booted in vain too often, or is unfit
    unfit_seconds: Callable[[Instance], float]  #: for how long it has been known to be unfit


class SimulatedEc2:
    """All instances of the fleet.

    Args:
        sim: time and chance.
        cap: how many there may be.
        hooks: what the world around knows, and is told.
        grace: an instance that was heard more recently must not be stopped.
        kept_seconds: younger stopped instances must not be terminated, but for those given up.
    """

    def __init__(
        self, sim: Simulation, *, cap: int, hooks: Hooks, grace: float, kept_seconds: float
    ) -> None:
        self.inner = MemoryEc2(MachineClock(sim))
        self.refusals = Refusals(sim, self.inner)
        self.launches: dict[str, set[str]] = {}  #: instances, by token
        self._sim = sim
        self._cap = cap
        self._hooks = hooks
        self._grace = grace
        self._kept = kept_seconds
        self._stopped_at: dict[str, float] = {}
        self._lives: set[str] = set()  #: instances that were on, and are not off yet
        self._times: list[float] = []
        self._shown: list[tuple[Instance, ...]] = []
        self.look()

    def now(self) -> tuple[Instance, ...]:
        """The instances as they are."""
        return self._shown[-1]

    def state(self, name: str) -> InstanceState:
        """One instance's true state."""
        return next(i.state for i in self.now() if i.id == name)

    def look(self) -> None:
        """Note what changed, and check it."""
        shown = self.inner.instances()
        if self._shown and shown == self._shown[-1]:
            return
        self._times.append(self._sim.now)
        self._shown.append(shown)
        standing = [i for i in shown if i.state is not InstanceState.TERMINATED]
        require = self._sim.require
        on = sum(i.state in BILLED for i in standing)
        require(I7_ON, on <= self._cap, f"{on} instances are on, of {self._cap}")
        # Left out of the count may be only what EC2 would not terminate, twice.
        counted = [i for i in standing if self.refusals.kept[i.id] < _REFUSED]
        require(I7_CAP, len(counted) <= self._cap, f"{len(counted)} instances of {self._cap}")
        slots = [i.slot for i in standing if i.slot is not None]
        require(I7_SLOT, len(set(slots)) == len(slots), lambda: f"slots {sorted(map(str, slots))}")
        for instance in shown:
            if instance.state is not InstanceState.STOPPED:
                self._stopped_at.pop(instance.id, None)
            else:
                self._stopped_at.setdefault(instance.id, self._sim.now)
            self._note_end(instance)

    def _note_end(self, instance: Instance) -> None:
        """Note how a boot ended, once: that EC2 had no room is no fault of the machine."""
        if instance.state in ON:
            self._lives.add(instance.id)
        elif instance.state in OFF and instance.id in self._lives:
            self._lives.remove(instance.id)
            if instance.reason.startswith("Server.Insufficient"):
                self.refusals.starts[instance.id] += 1
            elif self._hooks.mute(instance):
                self.refusals.fell_silent(instance)

    def instances(self, only: Sequence[str] = ()) -> tuple[Instance, ...]:
        """See `gridwell.fleet.ports.Ec2`: of now, or of a moment before."""
        self.look()
        shown = self.now()
        if self._sim.faults.strike("describe late"):
            then = self._sim.now - self._sim.rng.uniform(0.0, DESCRIBE_LAG)
            shown = self._shown[max(0, bisect.bisect_right(self._times, then) - 1)]
        return tuple(i for i in shown if i.id in only) if only else shown

    def release(self) -> str | None:
        """See `gridwell.fleet.ports.Ec2`."""
        return self.inner.release()

    def launch(self, slot: int, token: str, offer: Offering | None = None) -> str:
        """See `gridwell.fleet.ports.Ec2`."""
        # What a token has made needs no capacity again.
        if token not in self.launches and self._sim.faults.strike("no capacity"):
            raise NoCapacity("no capacity by chance")
        known = {instance.id for instance in self.now()}
        self.inner.boot_seconds = self._boot_seconds(slot)
        name = self.inner.launch(slot, token, offer)
        made = self.launches.setdefault(token, set())
        made.add(name)
        self._sim.require(I7_EPOCH, len(made) == 1, f"token {token}: {made}")
        if name not in known:
            self._sim.note(f"{name} is launched in slot {slot}")
            self._booting(name)
        self.look()
        self._hooks.grown()
        return name

    def start(self, instance: str) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        if self._sim.faults.strike("no capacity"):
            none = NoCapacity("no capacity by chance")
            self.refusals.not_started(instance, none)
            raise none
        self.inner.boot_seconds = self._boot_seconds(instance)
        was = self.inner._machine(instance).state
        if was is InstanceState.STOPPED:
            found = next(i for i in self.now() if i.id == instance)
            known = self._hooks.unfit_seconds(found)
            self._sim.require(
                I20, known <= _NOT_SEEN, lambda: f"{instance} is started, unfit for {known:.0f} s"
            )
        try:
            self.inner.start(instance)
        except ServiceError as error:
            self.refusals.not_started(instance, error)
            raise
        if was is InstanceState.STOPPED:
            self._sim.note(f"{instance} is started")
            self._booting(instance)
        self.look()
        self._hooks.grown()

    def stop(self, instance: str, *, force: bool = False) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        self.look()
        found = next(i for i in self.now() if i.id == instance)
        self._sim.require(
            I8_ALIVE,
            found.state not in ON or self._hooks.silent(found) >= self._grace,
            lambda: f"{instance} is stopped {self._hooks.silent(found):.0f} s after it was heard",
        )
        self.inner.stop_seconds = self._stop_seconds()
        try:
            self.inner.stop(instance, force=force)
        except ServiceError:
            self.refusals.unstopped.add(instance)
            raise
        self._sim.note(f"{instance} is stopped{' by force' if force else ''}")
        if found.state in ON:
            self._hooks.cut(instance)
        self._settles(instance)

    def terminate(self, instance: str) -> None:
        """See `gridwell.fleet.ports.Ec2`."""
        self.look()
        found = next(i for i in self.now() if i.id == instance)
        silent = found.state is InstanceState.STOPPING or self._hooks.silent(found) >= self._grace
        self._sim.require(
            I8_STOPPED,
            found.state not in BILLED or (silent and instance in self.refusals.unstopped),
            f"{instance} is {found.state} and terminated",
        )
        age = self._sim.now - self._stopped_at.get(instance, float("-inf"))
        stale = found.release != self.release()
        useless = self._hooks.given_up(found) or self.refusals.excuses(found, self.release())
        excused = stale or useless
        self._sim.require(
            I8_AGED,
            excused or age >= self._kept,
            f"{instance} is terminated {age:.0f} s after it stopped",
        )
        try:
            self._gone(instance)
        except ServiceError:
            self.refusals.kept[instance] += 1
            raise
        self._sim.note(f"{instance} is terminated")
        if found.state in ON:
            self._hooks.cut(instance)

    def power_off(self, instance: str) -> None:
        """What a machine does to itself, or a failure to it."""
        if self.inner._machine(instance).state in ON:
            self._sim.note(f"{instance} powers off")
            hangs = self._sim.faults.strike("stop hangs")
            self.inner.stop_seconds = STUCK_STOP if hangs else self._stop_seconds()
            self.inner.power_off(instance)
            if self._sim.faults.strike("start refused for good"):
                self._sim.note(f"{instance} will never start again")
                self.refusals.spoil(instance)
            self._settles(instance)

    def lose(self, instance: str) -> None:
        """EC2 takes an instance for good."""
        self._sim.note(f"{instance} is lost")
        self.inner.refusals.pop(("terminate", instance), None)  # AWS may
        self._gone(instance)

    def _gone(self, instance: str) -> None:
        self.inner.stop_seconds = self._stop_seconds()
        self.inner.terminate(instance)
        self._settles(instance)

    def _boot_seconds(self, what: object) -> float:
        return 5.0 + (LONGEST_BOOT - 5.0) * self._sim.chance("boot", what, len(self.launches))

    def _stop_seconds(self) -> float:
        return self._sim.rng.uniform(1.0, LONGEST_STOP)

    def _settles(self, instance: str) -> None:
        self.look()
        self._sim.at(self.inner._machine(instance).until + 1e-3, self.look)

    def _booting(self, instance: str) -> None:
        life = self.inner._machine(instance).launched
        lasting = self.refusals.is_lasting(instance)
        if not lasting and self._sim.faults.strike("pending for ever"):
            self._sim.note(f"{instance} stays pending")
            self.inner.stuck_pending.add(instance)
            return

        def up() -> None:
            self.look()
            machine = self.inner._machine(instance)
            if machine.state is not InstanceState.RUNNING or machine.launched != life:
                return
            if self._sim.faults.strike("start falls back"):
                self.inner.fall_back(instance)
                self.look()
            elif self._is_broken(instance):
                self._sim.note(f"{instance} boots a broken release")
            elif self.refusals.is_mute(next(i for i in self.now() if i.id == instance)):
                self._sim.note(f"{instance} boots without a network")
            elif self._sim.faults.strike("boot hangs"):
                self._sim.note(f"{instance} hangs in its boot")
            else:
                self._hooks.boot(instance)

        self._sim.at(self.inner._machine(instance).until + 1e-3, up)

    def _is_broken(self, instance: str) -> bool:
        release = next(i.release for i in self.now() if i.id == instance)
        return release is not None and release.startswith(BROKEN)
