"""Workers on their machines: the real worker's steps, what systemd does, and what both may not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from app_tier.kinds.registry import RUNNERS
from app_tier.worker.context import WorkerPorts
from app_tier.worker.held_tasks import LEASE_SECONDS
from app_tier.worker.step_report import WorkerExit
from app_tier.worker.worker import Worker, WorkerConfig
from gridwell.engine.errors import ServiceDenied
from tests.simulation.compute import SimulatedCompute
from tests.simulation.illness import TEXT, Illness
from tests.simulation.invariants import I9_MOVES, I13_MAPS, I16, I16_HOME
from tests.simulation.kernel import Process
from tests.simulation.port import Port

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app_tier.executor.port import Executor
    from gridwell.engine.task_failure import Suspect
    from gridwell.fleet.model import Heartbeat
    from tests.simulation.kernel import MachineClock
    from tests.simulation.queue import Message
    from tests.simulation.simulated_system import World

POLL_SECONDS: Final = 20.0
IDLE_POLLS: Final = 3
#: How long an instance may be on without a chunk: its empty polls, and one of the steps between.
LINGER: Final = POLL_SECONDS * IDLE_POLLS + POLL_SECONDS
_RESTART_SECONDS: Final = 5.0
_START_LIMIT: Final = 4  #: starts of the worker in five minutes, after which the machine goes off
_START_SECONDS: Final = 300.0


class WorkerProcess(Process):
    """A worker on an instance, from one start of its unit to its end."""

    def __init__(self, world: World, host: Host) -> None:
        super().__init__(world.sim, f"worker of {host.instance[-3:]}", host.clock)
        self._host = host
        self._world = world
        illness = world.illnesses.get(host.instance)
        self._compute = SimulatedCompute(
            self,
            world.known,
            cores=world.cores,
            poison=world.poison,
            raises=world.raises,
            lies=self._note_lie,
            raised=self._note_error,
            illness=illness,
        )
        ledger = Port(world.ledger, "ledger", self)
        self.worker = Worker(
            WorkerPorts(
                chunks=cast("Any", Port(world.chunks.of(self), "chunks", self)),
                results=cast("Any", Port(world.results.of(self), "results", self)),
                store=cast("Any", Port(world.store, "problems", self)),
                jobs=cast("Any", ledger),
                fleet=cast("Any", _WrongTimes(ledger, self.clock)),
                compute=cast("Executor", self._compute),
                runners=RUNNERS,
                clock=self.service_clock,
                chance=world.sim.rng.random,
                check=lambda: TEXT if illness is Illness.FULL else "",
            ),
            WorkerConfig(
                worker=host.arn,
                version="1",
                cores=world.cores,
                poll_seconds=POLL_SECONDS,
                idle_polls=IDLE_POLLS,
                run=f"{world.sim.rng.getrandbits(64):016x}",
                self_test=True,
            ),
        )
        self.starts()
        world.chunks.empty_polls[self.name] = 0
        self._moved: dict[int, tuple[int, float]] = {}
        self._fed_at = self.sim.now
        self.wake(self.sim.now)

    @property
    def serves(self) -> bool:
        """Whether it takes chunks."""
        worker = self.worker
        takes = worker._stop_at is None and not worker._fitness.unfit
        return self.alive and not self.asleep and takes

    def step(self) -> float:
        self._compute.rest = 0.0
        hand = self.worker._held
        try:
            ended = self.worker.step().exit
        except ServiceDenied as error:  # the process exits with 1
            self.sim.note(f"{self.name} ends: {error}")
            self.kill()
            self._host.restart()
            return 0.0
        if len(hand) or not self.worker._inbox.empty_polls or not self._world.settled:
            self._fed_at = self.sim.now
            if not self.worker._inbox.empty_polls:
                self._world.chunks.empty_polls[self.name] = 0
        else:
            idle = self.sim.now - self._fed_at
            self.sim.require(I16, idle <= LINGER, f"{self.name} idles for {idle:.0f} s")
        if ended is None:
            return max(self._compute.rest, self.sim.rng.uniform(0.01, 0.05))
        self.sim.note(f"{self.name} ends: {ended.name}")
        left = len(self._compute.maps)
        self.sim.require(I13_MAPS, not left, f"{self.name} ends and leaves {left} maps")
        self.kill()
        if ended is WorkerExit.IDLE:
            polls = self._world.chunks.empty_polls[self.name]
            self.sim.require(I16_HOME, polls >= IDLE_POLLS, f"{self.name} goes after {polls}")
            self._host.off()
        elif ended is WorkerExit.UNFIT:
            self._host.off()
        else:
            self._host.restart()
        return 0.0

    def died(self) -> None:
        self._host.restart()

    def extends(self, message: Message) -> None:
        """Hold it to extending the lease only of what moves."""
        for held in self.worker._held:
            if message.receipt not in held.receipts or held.outcome is not None:
                continue
            moves = self._compute.progress().get(held.ticket)
            if moves is None:
                continue  # it waits for its turn, which is no sign of hanging
            last, since = self._moved.setdefault(held.ticket, (0, self.sim.now))
            if moves > last:
                self._moved[held.ticket] = moves, self.sim.now
                continue
            # An extension whose reply was lost is made again, while the old lease lasts.
            hung = self.sim.now - since
            self.sim.require(I9_MOVES, hung <= LEASE_SECONDS, f"{held.name} hung for {hung:.0f} s")

    def _note_lie(self, ticket: int) -> None:
        held = self.worker._held.get(ticket)
        if held is not None:
            self._world.ledger.lied.add(held.message.attempt)

    def _note_error(self, ticket: int) -> None:
        held = self.worker._held.get(ticket)
        if held is not None:
            self._world.judge.raised(held.message)


class _WrongTimes:
    """The ledger of a worker that says when it beats by its machine's own clock.

    As one does that no service has replied to, or of an older release.
    """

    def __init__(self, ledger: Any, clock: MachineClock) -> None:
        self._ledger = ledger
        self._clock = clock

    def beat(self, heartbeat: Heartbeat) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        self._ledger.beat(replace(heartbeat, at=self._clock.now()))

    def suspects(self, workers: Iterable[str]) -> dict[str, Suspect]:
        """See `gridwell.fleet.ports.FleetLedger`."""
        found: dict[str, Suspect] = self._ledger.suspects(workers)
        return found


class Host:
    """One life of an instance: systemd, which starts the worker again, and switches off."""

    def __init__(self, world: World, instance: str) -> None:
        self.instance = instance
        self.arn = next(i.arn for i in world.ec2.now() if i.id == instance)
        self.clock: MachineClock = world.machine_clock()
        self.up = True
        self.worker: WorkerProcess | None = None
        self._world = world
        self._starts: list[float] = []
        self.start()

    @property
    def serves(self) -> bool:
        """Whether a worker takes chunks here."""
        return self.up and self.worker is not None and self.worker.serves

    def start(self) -> None:
        """Start the worker, unless it was started too often."""
        if not self.up:
            return
        now = self._world.sim.now
        self._starts = [*(at for at in self._starts if now - at < _START_SECONDS), now]
        if len(self._starts) > _START_LIMIT:
            self.off()
        else:
            self.worker = WorkerProcess(self._world, self)

    def restart(self) -> None:
        """Start the worker again, soon."""
        if self.up:
            self._world.sim.after(_RESTART_SECONDS, self.start)

    def cut(self) -> None:
        """The machine is off: nothing runs any more."""
        self.up = False
        if self.worker is not None:
            self.worker.kill()

    def off(self) -> None:
        """Switch the instance off."""
        self.cut()
        self._world.ec2.power_off(self.instance)
