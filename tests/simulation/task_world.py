"""A seed's jobs of many tasks: the real collectors, and workers that leave a row for each task.

They live in a world of their own, with the faults of their seed, so that no other story changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from gridwell.adapters.memory import MemoryCache
from gridwell.engine.count_tasks import missing_tasks
from gridwell.engine.errors import InvalidMessage, ServiceBusy
from gridwell.engine.messages import ChunkMessage, RowsMessage, decode_report
from gridwell.engine.rows import Row
from gridwell.engine.task_set import NO_TASKS, TaskSet
from tests.harness.builders import a_job, a_problem
from tests.simulation.daemons import TICK_SECONDS, CollectorProcess, Supervised
from tests.simulation.faults import SKEW
from tests.simulation.invariants import I11, T3, T4
from tests.simulation.kernel import MachineClock
from tests.simulation.killer import Killer
from tests.simulation.port import Port
from tests.simulation.queue import SimulatedQueue
from tests.simulation.task_ledger import RowStore, TaskLedger
from web_tier.jobs.enqueue import send_tasks
from web_tier.jobs.signer import Signer

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from tests.simulation.kernel import Simulation
    from tests.simulation.queue import Message

_FAULTY_SECONDS: Final = 500.0
_QUIET_SECONDS: Final = 60.0
_LIVELY_SECONDS: Final = 8500.0  #: two attempts, each at most its deadline long
_WORKERS: Final = 2
_STRIKES: Final = ("collector killed", "cache wiped", "message lost", "message comes back")
_FAILS: Final = 0.01  #: of all tasks, that fail whenever they are computed
_FAILS_NOW: Final = 0.01  #: of all tries
_SLOW: Final = 0.05  #: of all chunks, which outlast their lease
_CONSUMED: Final = "tasks world"  #: what draws of this world's own are named by


class TaskWorld:
    """All that there is of jobs of many tasks in one seed.

    Args:
        sim: time and chance.
    """

    def __init__(self, sim: Simulation) -> None:
        rng = sim.rng
        self.sim = sim
        self.doubled_share = 0.0
        self._skewed = sim.faults.has("clocks differ")
        self.store = RowStore()
        self.ledger = TaskLedger(sim, self.store)
        self.cache = MemoryCache(MachineClock(sim))
        self.signer = Signer(cast("Any", self.ledger))
        self.dead_chunks = SimulatedQueue(sim, "dead chunks")
        self.dead_results = SimulatedQueue(sim, "dead results")
        self.chunks = SimulatedQueue(
            sim, "chunks", dead=self.dead_chunks, leaving=self._chunk_leaves
        )
        self.results = SimulatedQueue(
            sim, "results", dead=self.dead_results, leaving=self._result_leaves
        )
        more = sim.faults.has("second collector")
        world = cast("Any", self)
        self.collectors = [CollectorProcess(world, f"collector {n}") for n in range(1 + more)]
        self.workers = [TaskWorker(world, f"task worker {n}") for n in range(_WORKERS)]
        self.clients = [TaskClient(self, n) for n in range(rng.randint(1, 3))]
        for kind in _STRIKES:
            if kind in sim.faults.rates:
                Killer(world, kind, sim.faults.rates[kind])

    def machine_clock(self) -> MachineClock:
        """The clock of one more machine."""
        return MachineClock(self.sim, self.sim.rng.uniform(-SKEW, SKEW) if self._skewed else 0.0)

    @property
    def unrest(self) -> str:
        """What keeps all from being at rest; empty: nothing."""
        queues = (self.chunks, self.results, self.dead_chunks, self.dead_results)
        found = {
            "jobs": [job.id for job in self.ledger.jobs() if not job.state.terminal],
            "clients": [client.name for client in self.clients if client.alive],
            "messages": {queue.name: len(queue.messages) for queue in queues if queue.messages},
        }
        return ", ".join(f"{name} {what}" for name, what in found.items() if what)

    def live(self) -> None:
        """Live through the faults, then come to rest."""
        sim = self.sim
        sim.run(sim.now + _FAULTY_SECONDS)
        sim.faults.on = False
        sim.note("faults end")
        began, resting = sim.now, None
        while sim.now - began < _LIVELY_SECONDS:
            sim.run(sim.now + TICK_SECONDS)
            if self.unrest:
                resting = None
                continue
            resting = resting or sim.now
            if sim.now - resting >= _QUIET_SECONDS:
                break
        sim.require(I11, not self.unrest, lambda: self.unrest)

    def _chunk_leaves(self, message: Message) -> None:
        """A chunk is deleted only when each of its tasks is settled, or its row is on the way."""
        chunk = ChunkMessage.decode(message.body)
        lost = self._missing(chunk.job, chunk.attempt, chunk.task_set)
        for queue in (self.results, self.dead_results):
            lost = lost - TaskSet.of(
                row.task for report in _reports(queue, chunk.attempt) for row in report.rows
            )
        for queue in (self.chunks, self.dead_chunks):
            for number, other in queue.messages.items():
                decoded = ChunkMessage.decode(other.body)
                same = queue is self.chunks and number == message.number
                if not same and decoded.attempt == chunk.attempt:
                    lost = lost - decoded.task_set
        self.sim.require(T4, not lost, lambda: f"tasks {lost.texts()} of {chunk.job} are lost")

    def _result_leaves(self, message: Message) -> None:
        """Rows are deleted only when their tasks are settled, and the job says which blocks are."""
        report = decode_report(message.body)
        if not isinstance(report, RowsMessage):
            return
        tasks = TaskSet.of(row.task for row in report.rows)
        lost = self._missing(report.job, report.attempt, tasks)
        self.sim.require(T4, not lost, lambda: f"rows of {lost.texts()} are deleted unsettled")
        job = self.ledger.inner.read(report.job)
        if job is None or job.attempt != report.attempt or job.state.terminal or not job.block:
            return
        states = self.ledger.states(job.id, job.attempt)
        ended = set().union(*states.values())
        for number in {task // job.block for task in tasks}:
            first = number * job.block
            whole = set(range(first, min(first + job.block, job.tasks))) <= ended
            self.sim.require(
                T3, not whole or number in job.full, f"block {number} of {job.id} is not full"
            )

    def _missing(self, job_id: str, attempt: str, tasks: TaskSet) -> TaskSet:
        """The tasks that are in no set yet; none of an attempt that has ended."""
        job = self.ledger.inner.read(job_id)
        if job is None or job.attempt != attempt or job.state.terminal:
            return NO_TASKS
        ended = set().union(*self.ledger.states(job_id, attempt).values())
        return tasks - TaskSet.of(ended)


def _reports(queue: SimulatedQueue, attempt: str) -> list[RowsMessage]:
    found = (decode_report(message.body) for message in queue.messages.values())
    return [each for each in found if isinstance(each, RowsMessage) and each.attempt == attempt]


class TaskClient(Supervised):
    """Submits a job of many tasks, and once more if tasks of it failed."""

    def __init__(self, world: TaskWorld, number: int) -> None:
        rng = world.sim.rng
        wanted = rng.choice((8, 32, 64, 128))
        self._pack = rng.choice((1, 3, 10, 40))
        self._job = a_job(
            a_problem(6, seed=number + 1),
            chunks=wanted,
            attempt=f"{rng.getrandbits(64):016x}",
            created=world.sim.now,
            deadline=world.sim.now + 3600.0,
            block=0 if wanted <= 8 else rng.choice((0, 5, 16, 50)),
        )
        self._stored: Job | None = None
        super().__init__(cast("Any", world), f"task client {number}")

    def begin(self) -> None:
        self._ledger: Any = Port(self._world.ledger, "ledger", self)
        self._chunks: Any = Port(self._world.chunks.of(self), "chunks", self)

    def step(self) -> float:
        try:
            if self._stored is None or self._stored.attempt != self._job.attempt:
                self._submit()
            else:
                self._look()
        except ServiceBusy:
            pass
        return self.sim.rng.uniform(1.0, 10.0)

    def _submit(self) -> None:
        job = self._job
        if self._ledger.create(job, replaces=self._stored):
            self._stored = job
            tasks = TaskSet.span(0, job.tasks)
            if send_tasks(self._chunks, job, tasks, signer=self._world.signer, pack=self._pack):
                now = self.service_clock.now()
                self._ledger.mark_sent(job.id, job.attempt, sent_at=now, resend_at=now + 120.0)

    def _look(self) -> None:
        job = self._ledger.read(self._job.id)
        if job is None or not job.state.terminal:
            return
        self._stored = job
        if job.renewable(self.sim.now) and job.run == 1:
            attempt = f"{self.sim.rng.getrandbits(64):016x}"
            self._job = replace(
                self._job, attempt=attempt, run=2, created=self.sim.now,
                deadline=self.sim.now + 3600.0,
            )  # fmt: skip
            return
        left = missing_tasks(self._world.ledger, job) if job.counts is not None else NO_TASKS
        self.sim.require(T3, not left, f"{job.id} has ended without {left.texts()}")
        self.sim.note(f"{self.name} is told {job.state}")
        self.kill()


class TaskWorker(Supervised):
    """Takes a chunk at a time, and sends a row for each of its tasks."""

    def begin(self) -> None:
        self._chunks: Any = Port(self._world.chunks.of(self), "chunks", self)
        self._results: Any = Port(self._world.results.of(self), "results", self)
        self._held: tuple[ChunkMessage, str] | None = None
        self._bodies: list[str] = []

    def step(self) -> float:
        rng = self.sim.rng
        try:
            if self._held is None:
                return self._take()
            _, receipt = self._held
            if self._bodies:
                refused = self._results.send(self._bodies)
                self._bodies = [self._bodies[position] for position in refused]
            if not self._bodies:
                self._chunks.delete([receipt])
                self._held = None
        except ServiceBusy:
            pass
        return rng.uniform(0.01, 0.5)

    def _take(self) -> float:
        rng = self.sim.rng
        batch = self._chunks.receive(at_most=1, wait=20.0)
        for received in batch:
            try:
                chunk = ChunkMessage.decode(received.body)
            except InvalidMessage:
                continue
            rows = [self._row(chunk.job, task) for task in chunk.task_set]
            # A chunk may be reported in parts.
            cut = rng.randrange(len(rows)) if rng.random() < 1 / 3 else 0
            self._bodies = [
                message.encode()
                for part in (rows[:cut], rows[cut:])
                for message in RowsMessage.of(chunk, part, worker=self.name.replace(" ", "-"))
            ]
            self._held = chunk, received.receipt
            return rng.uniform(60.0, 90.0) if rng.random() < _SLOW else rng.uniform(0.05, 8.0)
        return rng.uniform(0.01, 0.5)

    def _row(self, job: str, task: int) -> Row:
        always = self.sim.chance(_CONSUMED, job, task) < _FAILS
        failed = always or self.sim.rng.random() < _FAILS_NOW
        seconds = round(self.sim.rng.uniform(0.0, 1.0), 3)
        return Row(task=task, exit=int(failed), seconds=seconds, reason="exit" if failed else "")
