"""A worker on memory doubles, in virtual time, with a compute port whose tasks tests end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from app_tier.executor.port import TaskOutcome
from app_tier.kinds.registry import RUNNERS
from app_tier.worker.context import WorkerPorts
from app_tier.worker.worker import Worker, WorkerConfig
from gridwell.adapters.memory import ManualClock, MemoryQueue, MemoryStore
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.messages import (
    ChunkMessage,
    ErrorMessage,
    Report,
    ResultMessage,
    decode_report,
)
from gridwell.engine.object_keys import problem_object
from gridwell.engine.rows import Row
from tests.harness.builders import a_job, a_ledger, a_problem, a_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from app_tier.executor.port import Executor, RunTask, TaskFile
    from app_tier.worker.step_report import StepReport, WorkerExit
    from gridwell.engine.job import Job
    from gridwell.engine.ports import Received
    from gridwell.engine.task_files import FileType
    from gridwell.fleet.ports import FleetLedger
    from gridwell.kinds.grid.problem import Problem

WORKER = "worker-1"


class MemoryFile:
    """Implementation of `app_tier.executor.port.OutputFile` in memory."""

    def __init__(self, file: TaskFile) -> None:
        self.type: FileType = file.type
        self.removed = False
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "output"
            file.write(path)
            self._data = path.read_bytes()

    def read(self) -> bytes:
        assert not self.removed
        return self._data

    def remove(self) -> None:
        self.removed = True


class ManualCompute:
    """Computes truly, in no time, but only when a test says so."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.tasks: dict[int, RunTask] = {}
        self.moves: dict[int, int] = {}  #: of tasks that have started
        self.series: dict[int, int] = {}  #: reported progress of tasks that have started
        self.discarded: list[int] = []
        self.on_wait: Callable[[], None] | None = None
        self.outcomes: list[TaskOutcome] = []
        self.files: list[MemoryFile] = []  #: of all tasks so far

    def submit(self, task: RunTask) -> None:
        self.tasks[task.ticket] = task

    def discard(self, ticket: int) -> None:
        del self.tasks[ticket]
        self.moves.pop(ticket, None)
        self.discarded.append(ticket)

    def progress(self) -> Mapping[int, int]:
        return dict(self.moves)

    def reported(self) -> Mapping[int, int]:
        return dict(self.series)

    def finished(self) -> list[TaskOutcome]:
        outcomes, self.outcomes = self.outcomes, []
        return outcomes

    def wait(self, seconds: float) -> None:
        if self.on_wait is not None:
            self.on_wait()
        self.clock.sleep(seconds)

    def move(self) -> None:
        """Let every task start, or move on."""
        for ticket in self.tasks:
            self.moves[ticket] = self.moves.get(ticket, 0) + 1

    def end(self, *chunks: int, error: str | None = None) -> None:
        """End tasks (all of them without numbers), given by their order of submission."""
        tickets = list(self.tasks)
        for ticket in [tickets[number] for number in chunks] if chunks else tickets:
            task = self.tasks.pop(ticket)
            self.moves.pop(ticket, None)
            if error is not None:
                self.outcomes.append(TaskOutcome(ticket=ticket, error=error))
                continue
            self.outcomes.append(self._run(task))

    def _run(self, task: RunTask) -> TaskOutcome:
        runner = RUNNERS[task.kind]
        with TemporaryDirectory() as folder:
            stored = Path(folder) / "spec"
            stored.write_bytes(task.data)
            spec = runner.load(stored, task.spec)
        outputs = [
            runner.run(spec, task.detail, number, task.hint, lambda _progress: None)
            for number in range(task.task, task.task + task.count)
        ]
        if runner.has_rows:
            rows = [
                Row(task=number, exit=output.exit, reason=output.reason)
                for number, output in enumerate(outputs, task.task)
            ]
            return TaskOutcome(ticket=task.ticket, rows=tuple(rows), seconds=0.5)
        (output,) = outputs
        file = None if output.file is None else MemoryFile(output.file)
        self.files += [] if file is None else [file]
        return TaskOutcome(
            ticket=task.ticket, best=output.best, payload=output.payload, file=file, seconds=0.5
        )


class Recorded:
    """A port that records its calls, and whose methods can be made to fail."""

    def __init__(self, port: Any, name: str, calls: list[tuple[str, Any]]) -> None:
        self._port = port
        self._name = name
        self._calls = calls
        self.failing: dict[str, Exception] = {}
        self.before: dict[str, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: Any, **options: Any) -> Any:
            self._calls.append((f"{self._name}.{name}", args or options))
            if name in self.before:
                self.before[name]()
            if name in self.failing:
                raise self.failing[name]
            return method(*args, **options)

        return call


class World:
    """Everything that a worker is connected to."""

    def __init__(self, *, cores: int = 1, processes: Executor | None = None, **habits: Any) -> None:
        self.clock = ManualClock()
        self.calls: list[tuple[str, Any]] = []
        self.ledger = a_ledger()
        self.dead = MemoryQueue(self.clock)
        self.queue = MemoryQueue(self.clock, dead=self.dead)
        self.answers = MemoryQueue(self.clock, visibility=float("inf"))
        self._taken: list[Report] = []
        self.memory = MemoryStore()
        self.chunks = Recorded(self.queue, "chunks", self.calls)
        self.results = Recorded(self.answers, "results", self.calls)
        self.store = Recorded(self.memory, "store", self.calls)
        self.jobs = Recorded(self.ledger, "jobs", self.calls)
        self.fleet = Recorded(self.ledger, "fleet", self.calls)
        self.compute = ManualCompute(self.clock)
        self.worker = Worker(
            WorkerPorts(
                chunks=self.chunks,
                results=self.results,
                store=self.store,
                jobs=self.jobs,
                fleet=cast("FleetLedger", self.fleet),
                compute=self.compute if processes is None else processes,
                runners=RUNNERS,
                clock=self.clock,
                chance=lambda: 0.5,
            ),
            WorkerConfig(worker=WORKER, version="1", cores=cores, **habits),
        )

    def submit(
        self,
        problem: Problem | None = None,
        *,
        chunks: int = 4,
        send: Iterable[int] | None = None,
        **changes: Any,
    ) -> Job:
        """Store a problem and a job, and send its chunks (all of them without a list)."""
        problem = a_problem() if problem is None else problem
        key = problem_object(problem.sha)
        self.memory.put_new(key, problem.encode(), content_type="application/octet-stream")
        job = a_job(problem, chunks=chunks, **changes)
        assert self.ledger.create(job)
        self.send(job, range(job.tasks) if send is None else send)
        return job

    def send(self, job: Job, chunks: Iterable[int], /, **changes: Any) -> None:
        """Send chunk messages of a job, with some fields changed."""
        for chunk in chunks:
            fields: dict[str, Any] = {
                "kind": job.kind,
                "job": job.id,
                "attempt": job.attempt,
                "chunk": chunk,
                "plan": job.plan,
                "problem": job.spec,
                "token": a_token(job, chunk),
            }
            self.queue.send([ChunkMessage(**(fields | changes)).encode()])

    def step(self, times: int = 1) -> StepReport:
        """Take steps; the last one's report, with the notes of all of them."""
        notes = []
        for _ in range(times):
            step = self.worker.step()
            notes += step.notes
        step.notes[:] = notes
        return step

    def run(self, *, steps: int = 1000) -> WorkerExit:
        """Step until the worker ends, with every task computed meanwhile."""
        for _ in range(steps):
            self.compute.end()
            step = self.worker.step()
            if step.exit is not None:
                return step.exit
        raise AssertionError(f"still running after {steps} steps")

    def sent(self) -> list[ResultMessage]:
        """The results that were sent, by chunk."""
        results = [report for report in self.reports() if isinstance(report, ResultMessage)]
        return sorted(results, key=lambda message: message.chunk)

    def errors(self) -> list[ErrorMessage]:
        """The failed tries that were told of, in the order of their sending."""
        return [report for report in self.reports() if isinstance(report, ErrorMessage)]

    def reports(self) -> list[Report]:
        """All that was sent to the queue of results."""
        found: list[Received] = []
        while batch := self.answers.receive(at_most=10, wait=0):
            found += batch
        self._taken += [decode_report(received.body) for received in found]
        return self._taken

    def named(self, name: str) -> list[Any]:
        """The arguments of the calls of this name."""
        return [arguments for called, arguments in self.calls if called == name]

    def left(self) -> tuple[int, int]:
        """Chunk messages that are visible, and in flight."""
        depth = self.queue.depth()
        return depth.visible, depth.in_flight


def busy() -> ServiceBusy:
    """What a service that does not answer raises."""
    return ServiceBusy("throttled")


def actions(step: StepReport) -> list[str]:
    """The names of what a step noted."""
    return [note.action for note in step.notes]
