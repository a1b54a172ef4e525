"""The programs, as processes: the real code's steps, its restarts, and when each is due."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from app_tier.bench import Ports as WorkerPorts
from app_tier.step import Exit
from app_tier.worker import Habits, Worker
from autoscaler.daemon import Daemon
from autoscaler.observe import Ports as FleetPorts
from gridwell.domain.errors import ServiceBusy
from gridwell.domain.fleet import Control
from tests.simulation.compute import SimulatedCompute
from tests.simulation.kernel import Process
from tests.simulation.port import Port
from web_tier.collect import RECONCILE_SECONDS
from web_tier.collector import Collector
from web_tier.finisher import Finisher
from web_tier.reconciler import Reconciler
from web_tier.service import Service

if TYPE_CHECKING:
    from app_tier.compute import Compute
    from gridwell.domain.job import Job
    from gridwell.domain.problem import Problem
    from tests.simulation.world import World

TICK_SECONDS: Final = 10.0
_RESTART_SECONDS: Final = 5.0
_START_LIMIT: Final = 4  #: starts of the worker in five minutes, after which the machine goes off
_START_SECONDS: Final = 300.0


def _ports(world: World, process: Process) -> dict[str, Any]:
    return {
        "ledger": Port(world.ledger, "ledger", process),
        "store": Port(world.store, "store", process),
        "cache": Port(world.cache, "cache", process, raises=False),
        "chunks": Port(world.chunks.of(process), "chunks", process),
    }


class WorkerProcess(Process):
    """A worker on an instance, from one start of its unit to its end."""

    def __init__(self, world: World, host: Host) -> None:
        super().__init__(world.sim, f"worker of {host.instance[-3:]}")
        self._host = host
        self._compute = SimulatedCompute(
            self,
            world.known,
            cores=world.cores,
            poison=world.poison,
            lies=world.note_lie,
        )
        ports = _ports(world, self)
        self.worker = Worker(
            WorkerPorts(
                chunks=ports["chunks"],
                results=cast("Any", Port(world.results.of(self), "results", self)),
                store=ports["store"],
                jobs=ports["ledger"],
                fleet=ports["ledger"],
                compute=cast("Compute", self._compute),
                clock=world.sim.clock,
                chance=world.sim.rng.random,
            ),
            Habits(worker=host.arn, version="1", cores=world.cores),
        )
        self.wake(self.sim.now)

    def step(self) -> float:
        self._compute.rest = 0.0
        ended = self.worker.step().exit
        if ended is None:
            return max(self._compute.rest, self.sim.rng.uniform(0.01, 0.05))
        self.sim.note(f"{self.name} ends: {ended.name}")
        self.kill()
        if ended is Exit.IDLE:
            self._host.off()
        else:
            self._host.restart()
        return 0.0

    def died(self) -> None:
        self._host.restart()


class Host:
    """One life of an instance: systemd, which starts the worker again, and switches off."""

    def __init__(self, world: World, instance: str) -> None:
        self.instance = instance
        self.arn = next(i.arn for i in world.ec2.now() if i.id == instance)
        self.up = True
        self.worker: WorkerProcess | None = None
        self._world = world
        self._starts: list[float] = []
        self.start()

    @property
    def serves(self) -> bool:
        """Whether a worker runs here."""
        return self.up and self.worker is not None and self.worker.alive

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


class _Supervised(Process):
    """A process that is started anew, some seconds after it died."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world.sim, name)
        self._world = world
        self.begin()
        self.wake(self.sim.now)

    def begin(self) -> None:
        """Make the program, with no memory of the last one."""
        raise NotImplementedError

    def died(self) -> None:
        longest = self.sim.rng.choice((5.0, 5.0, 120.0))
        self.sim.after(self.sim.rng.uniform(1.0, longest), self._again)

    def crash(self) -> None:
        """Die between two steps, or in a stalled one."""
        if self.alive:
            self.sim.note(f"{self.name} is killed")
            self.kill()
            self.died()

    def _again(self) -> None:
        if self._running:  # the last one has not gone yet: its stalled call is still on the stack
            self.sim.after(1.0, self._again)
            return
        self.alive = True
        self.poll_until = None
        self._due = float("inf")
        self.begin()
        self.wake(self.sim.now)


class CollectorProcess(_Supervised):
    """Collector and reconciler, in the order of `web_tier.collect.run`."""

    def begin(self) -> None:
        world, ports = self._world, _ports(self._world, self)
        clock = world.sim.clock
        finisher = Finisher(
            ledger=ports["ledger"], store=ports["store"], cache=ports["cache"], clock=clock
        )
        self._collector = Collector(
            results=cast("Any", Port(world.results.of(self), "results", self)),
            ledger=ports["ledger"],
            finisher=finisher,
            cache=ports["cache"],
            clock=clock,
            poll_seconds=20.0,
        )
        self._reconciler = Reconciler(
            ledger=ports["ledger"],
            chunks=ports["chunks"],
            results=cast("Any", Port(world.results.of(self), "results", self)),
            dead_chunks=cast("Any", Port(world.dead_chunks.of(self), "dead chunks", self)),
            dead_results=cast("Any", Port(world.dead_results.of(self), "dead results", self)),
            finisher=finisher,
            clock=clock,
        )
        self._next_round = self.sim.now

    def step(self) -> float:
        try:
            self._collector.step()
            self.poll_until = None
            if self.sim.now >= self._next_round:
                self._next_round = self.sim.now + RECONCILE_SECONDS * self.sim.rng.uniform(0.8, 1.2)
                for done in self._reconciler.step():
                    self.sim.note(f"{self.name}: job {done.job[:6]}: {done.did}")
        except ServiceBusy:
            return 1.0
        return self.sim.rng.uniform(0.01, 0.05)


class AutoscalerProcess(_Supervised):
    """The daemon, a tick every ten seconds."""

    def begin(self) -> None:
        world = self._world
        ports = FleetPorts(
            ec2=cast("Any", Port(world.ec2, "ec2", self)),
            chunks=cast("Any", Port(world.chunks.of(self), "chunks", self)),
            ledger=cast("Any", Port(world.ledger, "ledger", self)),
            clock=world.sim.clock,
        )
        self._runs = getattr(self, "_runs", 0) + 1
        self._daemon = Daemon(
            ports,
            world.policy,
            fleet="gridwell",
            owner=f"{self.name}, run {self._runs}",
            tick_seconds=TICK_SECONDS,
        )

    def step(self) -> float:
        began = self.sim.now
        self._daemon.tick()
        return max(0.0, began + TICK_SECONDS - self.sim.now)


class Client(_Supervised):
    """Asks one problem, asks again until it is accepted, and reads until the job has ended."""

    def __init__(self, world: World, number: int, problem: Problem, client: str) -> None:
        self._problem = problem
        self._client = client
        self._job: Job | None = None
        self._tries = 0
        self.finished = False
        super().__init__(world, f"client {number}")

    def begin(self) -> None:
        rng, ports = self.sim.rng, _ports(self._world, self)
        self._service = Service(
            **ports,
            clock=self._world.sim.clock,
            draw_attempt=lambda: f"{rng.getrandbits(64):016x}",
            client=self._client,
        )

    def step(self) -> float:
        wait = self.sim.rng.uniform(1.0, 10.0)
        try:
            if self._job is None:
                self._job = self._service.submit(self._problem)
                self._tries += 1
                self.sim.note(f"{self.name} has job {self._job.id[:6]}, {self._job.state}")
                self._judge(self._job)
                return wait
            job = self._service.read(self._job.id)
            other = replace(self._service, client="somebody else").read(self._job.id)
        except ServiceBusy:
            return wait
        self.sim.require("I10 own jobs only", other is None, f"{self._job.id} is shown to others")
        self.sim.require("accepted is kept", job is not None, f"job {self._job.id} is gone")
        if job is not None:
            self._judge(job)
        return wait

    def _judge(self, job: Job) -> None:
        if not job.state.terminal:
            return
        if job.result is not None:
            least = self._world.known[job.problem].least
            self.sim.require("I17 what clients see", job.result == least, f"{self.name} {job}")
        if job.renewable(self.sim.now) and self._tries <= 1:
            self._job = None
            return
        self.sim.note(f"{self.name} is told {job.state}")
        self.finished = True
        self.kill()


class Killer(Process):
    """Strikes from outside, one kind at a time."""

    def __init__(self, world: World, kind: str, mean: float) -> None:
        super().__init__(world.sim, kind)
        self._world = world
        self._mean = mean
        self.wake(self.sim.now + self.sim.rng.expovariate(1 / mean))

    def step(self) -> float:
        if not self.sim.faults.on:
            self.kill()
        elif self._strike():
            self.sim.faults.injected[self.name] += 1
            self.sim.note(f"fault: {self.name}")
        return self.sim.rng.expovariate(1 / self._mean)

    def died(self) -> None:
        raise AssertionError("nothing kills it")

    def _strike(self) -> bool:  # noqa: C901 - one line for each kind
        world, rng = self._world, self.sim.rng
        hosts = [host for host in world.hosts.values() if host.serves]
        host = rng.choice(hosts) if hosts else None
        if self.name == "instance dies" and host:
            host.off()
        elif self.name == "instance is terminated" and host:
            host.cut()
            world.ec2.lose(host.instance)
        elif self.name == "stray SIGTERM" and host and host.worker:
            host.worker.worker.stop()
        elif self.name == "collector killed":
            rng.choice(world.collectors).crash()
        elif self.name == "autoscaler killed":
            world.autoscaler.crash()
        elif self.name == "cache wiped":
            world.cache.clear()
        elif self.name == "message lost":
            queue = rng.choice((world.chunks, world.results))
            if not queue.messages:
                return False
            queue.drop(rng.choice(list(queue.messages.values())))
        elif self.name == "new release":
            world.ec2.inner.current_release = f"release-{rng.getrandbits(32)}"
        elif self.name == "paused by the operator":
            world.ledger.inner.write_control(Control(paused=True))
            self.sim.after(120.0, lambda: world.ledger.inner.write_control(Control()))
        else:
            return False
        return True
