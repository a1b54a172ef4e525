"""What a worker works at: its ports, the chunks in hand, and how it lets go of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app_tier.worker.fitness import Fitness
from app_tier.worker.held_tasks import HeldTask, HeldTasks
from app_tier.worker.job_cache import JobCache
from app_tier.worker.lease import backoff
from app_tier.worker.other_release import OtherReleaseMessages
from app_tier.worker.pause import Backoff
from app_tier.worker.void import obsolete_reason
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.messages import ErrorMessage
from gridwell.engine.object_keys import problem_object
from gridwell.engine.task_failure import MACHINE_FAILED, UNSUPPORTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from app_tier.executor.port import Executor, Runner
    from app_tier.worker.step_report import StepReport
    from gridwell.engine.errors import ServiceDenied
    from gridwell.engine.messages import Envelope
    from gridwell.engine.ports import Clock, JobLedger, ObjectStore, Queue
    from gridwell.fleet.ports import FleetLedger

_REPORTS: Final = 100
_NO_PROBLEM: Final = problem_object("0" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPorts:
    """What a worker is connected to."""

    chunks: Queue  #: work
    results: Queue
    store: ObjectStore  #: where problems lie
    jobs: JobLedger  #: workers change no job: they read, and tell how far a series is
    #: Heartbeats go here and not through the collector: a dead collector must not look like a
    #: dead fleet.
    fleet: FleetLedger
    compute: Executor
    runners: Mapping[str, Runner[Any]]  #: of the kinds that `compute` runs
    clock: Clock
    chance: Callable[[], float]  #: uniform in [0, 1), for jitter
    #: Seconds by which the machine's wall clock is ahead of the services' time; None: unknown.
    skew: Callable[[], float | None] = lambda: None
    check: Callable[[], str] = lambda: ""  #: what is wrong with disk or memory; empty: nothing


class WorkerContext:
    """State that the parts of a worker share."""

    def __init__(self, ports: WorkerPorts, *, worker: str, fitness: Fitness | None = None) -> None:
        self.ports = ports
        self.fitness = fitness or Fitness()
        self.foreign = OtherReleaseMessages()
        self.reports: list[str] = []  #: error messages that wait to be sent
        self._worker = worker
        self.hand = HeldTasks()
        self.jobs = JobCache(ports.jobs)
        self.pause = Backoff()
        self._done_with: list[str] = []  #: receipts to be deleted

    @property
    def now(self) -> float:
        """The time, by the monotonic clock."""
        return self.ports.clock.monotonic()

    @property
    def paused(self) -> bool:
        """Whether the services are to be left alone, as one did not answer."""
        return self.pause.left(self.now) > 0

    @property
    def clear(self) -> bool:
        """Whether nothing is in hand, and nothing waits to be deleted or sent."""
        return not len(self.hand) and not self._done_with and not self.reports

    def done_with(self, held: HeldTask) -> None:
        """Let go of a chunk whose messages are to be deleted."""
        self._let_go(held)
        self._done_with += held.receipts

    def delete(self, step: StepReport) -> None:
        """Delete the messages of chunks that we are done with."""
        if not self._done_with or self.paused:
            return
        try:
            self.ports.chunks.delete(self._done_with)
        except ServiceBusy as error:
            self.busy(step, "deleting chunks", error)
        else:
            self._done_with = []

    def failed(self, step: StepReport, held: HeldTask, code: str, text: str) -> None:
        """Report a try of a chunk that failed, and let it be tried again later and later."""
        if code == UNSUPPORTED:
            self.foreign.refuse(held.message.problem, text, self.now)
            self.foreign.met(text, self.now)
        self.fitness.failed(held.message.job, code, text)
        if code == MACHINE_FAILED and (flaw := self.ports.check()):
            self.fitness.condemn(f"{text}; {flaw}")
        self.report(held.message.envelope, held.receives, code, text)
        self.give_back(step, [held], self.backoff(held.receives))

    def denied(
        self, step: StepReport, held: HeldTask, code: str, what: str, error: ServiceDenied
    ) -> None:
        """Report a chunk of which the store refuses an object.

        Raises:
            ServiceDenied: if the store refuses everything, so that this worker can do nothing.
        """
        try:
            self.ports.store.get(_NO_PROBLEM)
        except ServiceBusy as busy:
            step.note("busy", f"asking the store for an object that nobody has: {busy}")
        said = f"the store refuses {what}: {error.code or error}"
        step.note("chunk_denied", f"{held.name}: {said}")
        self.failed(step, held, code, said)

    def report(self, chunk: Envelope, receives: int, code: str, text: str) -> None:
        """Have an error message sent with the next results; only the latest few are kept."""
        message = ErrorMessage.of(
            chunk, worker=self._worker, code=code, text=text, receives=receives
        )
        self.reports = [*self.reports[1 - _REPORTS :], message.encode()]

    def backoff(self, receives: int) -> float:
        """Seconds before a message is tried again."""
        return backoff(receives, self.ports.chance())

    def give_back(self, step: StepReport, chunks: Sequence[HeldTask], seconds: float) -> None:
        """Let go of chunks, and let them be received again after some seconds."""
        for held in chunks:
            self._let_go(held)
        self.release(step, receipts(chunks), seconds)

    def release(self, step: StepReport, handles: list[str], seconds: float) -> None:
        """Let messages be received again after some seconds."""
        try:
            self.ports.chunks.extend(handles, seconds)
        except ServiceBusy as error:
            # The lease ends by itself, only later.
            step.note("busy", f"giving back {len(handles)} messages: {error}")

    def learn(self, step: StepReport, chunks: Iterable[HeldTask], **older_than: float) -> bool:
        """Read the jobs of chunks; False if that failed, and nothing changed."""
        try:
            self.jobs.learn([held.message.job for held in chunks], self.now, **older_than)
        except ServiceBusy as error:
            self.busy(step, "reading jobs", error)
            return False
        return True

    def obsolete_reason(self, held: HeldTask) -> str | None:
        """Why nobody wants a chunk's result, by its job as last read; None: somebody may."""
        if self.jobs.unreadable(held.message.job):
            return None
        job = self.jobs.get(held.message.job)
        return obsolete_reason(held.message, job, self.ports.clock.now())

    def drop_obsolete(self, step: StepReport, held: HeldTask) -> bool:
        """Be done with a chunk that nobody wants, by its job as last read."""
        reason = self.obsolete_reason(held)
        if reason is None:
            return False
        step.note("chunk_void", f"{held.name} is not wanted: {reason}", serious=False)
        self.done_with(held)
        return True

    def busy(self, step: StepReport, doing: str, error: ServiceBusy) -> None:
        """Pause, as a service did not answer."""
        self.pause.failed(self.now, self.ports.chance())
        step.note("busy", f"{doing}: {error}; trying again soon")

    def _let_go(self, held: HeldTask) -> None:
        self.hand.drop(held)
        if held.submitted and held.outcome is None:
            self.ports.compute.discard(held.ticket)
        if held.outcome is not None and held.outcome.file is not None:
            held.outcome.file.remove()


def receipts(chunks: Iterable[HeldTask]) -> list[str]:
    """The receipts of all deliveries of chunks."""
    return [receipt for held in chunks for receipt in held.receipts]
