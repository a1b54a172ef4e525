"""Workers, collector and reconciler on the same doubles, a second of virtual time at a step.

Smaller than the simulation, and without chance: a test says what goes wrong.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from app_tier.kinds.registry import RUNNERS
from app_tier.worker.context import WorkerPorts
from app_tier.worker.worker import Worker, WorkerConfig
from gridwell.adapters.memory import ManualClock
from gridwell.engine.messages import TASKS_VERSION, VERSION
from tests.harness.builders import SIGNER
from tests.harness.web import World
from tests.harness.worker import ManualCompute
from web_tier.collector.collector import Collector
from web_tier.collector.loop import RECONCILE_SECONDS
from web_tier.collector.reconciler import Reconciler
from web_tier.jobs.enqueue import send_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app_tier.executor.port import RunTask, TaskOutcome
    from app_tier.worker.step_report import WorkerExit
    from gridwell.engine.job import Job
    from gridwell.engine.ports import Received
    from gridwell.fleet.model import Heartbeat
    from gridwell.kinds.grid.problem import Problem


_OURS: Final = f'"version":{VERSION}'
_THEIRS: Final = f'"version":{TASKS_VERSION + 1}'


class WorkerDied(BaseException):
    """A whole worker is gone; nothing may catch this."""


class Newer:
    """A queue as a later release uses it: it sends a later version, and reads both."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def send(self, bodies: Sequence[str], *, group: str = "") -> list[int]:
        newer = [body.replace(_OURS, _THEIRS) for body in bodies]
        refused: list[int] = self._queue.send(newer, group=group)
        return refused

    def receive(self, *, at_most: int, wait: float) -> list[Received]:
        batch: list[Received] = self._queue.receive(at_most=at_most, wait=wait)
        return [
            type(each)(each.body.replace(_THEIRS, _OURS), each.receipt, each.receives)
            for each in batch
        ]


class Machine:
    """A worker, and the machine that starts it again when it dies.

    Of all that it computes at a time, `breaks` sees each before any is computed.
    """

    def __init__(
        self,
        system: System,
        name: str,
        *,
        cores: int = 1,
        newer: bool = False,
        stays: bool = True,
        breaks: Callable[[RunTask], TaskOutcome | None] = lambda _task: None,
    ) -> None:
        self.name = name
        self.deaths = 0
        self.ended: WorkerExit | None = None
        self.said: list[str] = []
        self._system = system
        self._cores = cores
        self._newer = newer
        self._stays = stays
        self._breaks = breaks
        self._chance = random.Random(name).random
        self._boot()

    def _boot(self) -> None:
        world = self._system.world
        self._compute = ManualCompute(ManualClock())  # waiting costs none of the system's time
        self._worker = Worker(
            WorkerPorts(
                chunks=Newer(world.chunks) if self._newer else world.chunks,
                results=Newer(world.results) if self._newer else world.results,
                store=world.store,
                jobs=world.ledger,
                fleet=world.ledger,
                compute=self._compute,
                runners=RUNNERS,
                clock=world.clock,
                chance=self._chance,
            ),
            WorkerConfig(
                worker=self.name,
                version="2" if self._newer else "1",
                cores=self._cores,
                poll_seconds=0.001,
                minimum_uptime=1e9 if self._stays else 30,
            ),
        )

    @property
    def heartbeat(self) -> Heartbeat:
        """Its last sign of life."""
        return self._system.world.ledger.heartbeats([self.name])[self.name]

    def step(self) -> None:
        """Take a step, and compute a chunk on each core; or start again after a death."""
        if self.ended is not None:
            return
        try:
            step = self._worker.step()
            self.said += [note.text for note in step.notes]
            self.ended = step.exit
            tasks = list(self._compute.tasks.values())[: self._cores]
            outcomes = [self._breaks(task) for task in tasks]
            for outcome in filter(None, outcomes):
                del self._compute.tasks[outcome.ticket]
                self._compute.outcomes.append(outcome)
            for _ in range(outcomes.count(None)):
                self._compute.end(0)
        except WorkerDied:
            self.deaths += 1
            self._boot()


class System:
    """Everything but HTTP and EC2."""

    def __init__(self) -> None:
        self.world = World()
        self.machines: list[Machine] = []
        self.did: list[str] = []
        self.newer_web = False  #: whether the web tier is the later release
        self._round_at = self.world.clock.now()

    def machine(self, name: str, **options: Any) -> Machine:
        """Add a machine."""
        machine = Machine(self, name, **options)
        self.machines.append(machine)
        return machine

    def submit(self, problem: Problem) -> Job:
        """A client's job, as the web tier takes it."""
        now = self.world.clock.now()
        job = self.world.submit(problem)
        assert send_chunks(self._queue(self.world.chunks), job, range(job.tasks), signer=SIGNER)
        self.world.ledger.mark_sent(job.id, job.attempt, sent_at=now, resend_at=now + 120)
        return self.world.job(job)

    def run(self, *jobs: Job, seconds: float = 4000.0) -> None:
        """Go on until those jobs have ended."""
        self.pass_time(
            seconds, until=lambda: all(self.world.job(job).state.terminal for job in jobs)
        )
        assert all(self.world.job(job).state.terminal for job in jobs), self.did

    def pass_time(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Let some time pass.  Collector and reconciler begin anew with each of its rounds."""
        clock = self.world.clock
        end = clock.now() + seconds
        collector = self._collector()
        while clock.now() < end and not until():
            clock.advance(1.0)
            for machine in self.machines:
                machine.step()
            while collector.step().merged:  # one step may be of results that it cannot read
                pass
            if clock.now() >= self._round_at:
                self._round_at = clock.now() + RECONCILE_SECONDS
                self.did += [done.did for done in self._reconciler().step()]
                collector = self._collector()

    def _queue(self, queue: Any) -> Any:
        return Newer(queue) if self.newer_web else queue

    def _collector(self) -> Collector:
        world = self.world
        return Collector(
            results=self._queue(world.results),
            ledger=world.ledger,
            finisher=world.finisher(),
            cache=world.cache,
            clock=world.clock,
            poll_seconds=0,
        )

    def _reconciler(self) -> Reconciler:
        world = self.world
        return Reconciler(
            ledger=world.ledger,
            chunks=self._queue(world.chunks),
            results=self._queue(world.results),
            dead_chunks=self._queue(world.dead_chunks),
            dead_results=self._queue(world.dead_results),
            finisher=world.finisher(),
            clock=world.clock,
        )
