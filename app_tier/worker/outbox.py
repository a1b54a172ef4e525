"""Results, reports and progress on their way from the executor to the services."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from app_tier.worker.file_store import store_file
from gridwell.engine.errors import ServiceBusy, ServiceDenied, ServiceError
from gridwell.engine.messages import ErrorMessage, ResultMessage, RowsMessage
from gridwell.engine.object_keys import problem_object
from gridwell.engine.task_failure import MACHINE_FAILED, MAP_DENIED, STUCK, UNSUPPORTED

if TYPE_CHECKING:
    from app_tier.executor.port import TaskOutcome
    from app_tier.worker.context import WorkerContext
    from app_tier.worker.fitness import Fitness
    from app_tier.worker.held_tasks import HeldTask, HeldTasks
    from app_tier.worker.job_cache import JobCache
    from gridwell.engine.messages import Envelope

PROGRESS_SECONDS: Final = 1.0  #: between two reports of the progress of a task
_REPORTS: Final = 100
_NO_SPEC: Final = problem_object("0" * 64)


class Outbox:
    """Sends results and reports, then deletes the tasks of the results.

    Args:
        context: of the worker.
        held: the tasks that it holds.
        jobs: their jobs, which learn of results.
        fitness: learns of successes and failures.
        worker: the worker's id.
    """

    def __init__(
        self,
        context: WorkerContext,
        held: HeldTasks,
        jobs: JobCache,
        fitness: Fitness,
        *,
        worker: str,
    ) -> None:
        self.chunks = 0  #: computed since the start
        self.seconds = 0.0  #: spent on them
        self._context = context
        self._held = held
        self._jobs = jobs
        self._fitness = fitness
        self._worker = worker
        self._reports: list[str] = []  #: error messages that wait to be sent
        self._settled: list[str] = []  #: receipts of messages to be deleted
        #: By ticket: the last progress that was reported of a task, and when.
        self._progress: dict[int, tuple[int, float]] = {}

    @property
    def empty(self) -> bool:
        """True if nothing waits to be sent or deleted."""
        return not self._settled and not self._reports

    def take(self, outcome: TaskOutcome) -> None:
        """Take the outcome of a task; one that failed is reported and given back."""
        held = self._held.get(outcome.ticket)
        if held is None:
            if outcome.file is not None:
                outcome.file.remove()
            return
        held.outcome = outcome
        if outcome.error is not None:
            self._context.note("chunk_failed", f"{held.name} failed: {outcome.error}")
            self.failed(held, outcome.code, outcome.error)
            return
        self._fitness.succeeded()
        self.chunks += 1
        self.seconds += outcome.seconds
        self._jobs.saw(held.message.job, outcome.best)

    def send(self) -> None:
        """Send the results and reports that wait, then delete the tasks of the results."""
        context = self._context
        self._store_files()
        ready = [
            (held, held.outcome)
            for held in self._held
            if held.outcome is not None and held.outcome.file is None
        ]
        if (ready or self._reports) and not context.paused:
            results = [
                (held.ticket, body)
                for held, outcome in ready
                for body in self._results(held, outcome)
            ]
            bodies = [body for _, body in results]
            try:
                positions = context.ports.results.send([*bodies, *self._reports])
            except ServiceBusy as error:
                context.busy("sending results", error)
                return
            self._reports = []  # a report that was refused is only worth one try
            refused = {results[place][0] for place in positions if place < len(results)}
            if refused:
                context.note("result_refused", f"{len(refused)} results are to be sent again")
            # Send first, delete second: dying in between costs a duplicate result, which the
            # ledger merges into nothing.  The other order would lose the task.
            for held, _ in ready:
                if held.ticket not in refused:
                    self.settle(held)
        self.delete()

    def settle(self, held: HeldTask) -> None:
        """Drop a task whose messages are to be deleted."""
        self._held.drop(held)
        self._settled += held.receipts

    def delete(self) -> None:
        """Delete the messages of settled tasks."""
        if not self._settled or self._context.paused:
            return
        try:
            self._context.ports.chunks.delete(self._settled)
        except ServiceBusy as error:
            self._context.busy("deleting chunks", error)
        else:
            self._settled = []

    def report(self, chunk: Envelope, receives: int, code: str, text: str) -> None:
        """Have an error message sent with the next results; only the latest few are kept."""
        message = ErrorMessage.of(
            chunk, worker=self._worker, code=code, text=text, receives=receives
        )
        self._reports = [*self._reports[1 - _REPORTS :], message.encode()]

    def failed(self, held: HeldTask, code: str, text: str) -> None:
        """Report a failed try of a task, and let it be tried again, the later the oftener."""
        if code == UNSUPPORTED:
            self._context.others.refuse(held.message.problem, text, self._context.now)
            self._context.others.met(text, self._context.now)
        self._fitness.failed(held.message.job, code, text)
        if code == MACHINE_FAILED and (flaw := self._context.ports.check()):
            self._fitness.condemn(f"{text}; {flaw}")
        self.report(held.message.envelope, held.receives, code, text)
        self._held.release_later(held)

    def denied(self, held: HeldTask, code: str, name: str, error: ServiceDenied) -> None:
        """Report a task of which the store refuses an object.

        Raises:
            ServiceDenied: if the store refuses everything, so that this worker can do nothing.
        """
        try:
            self._context.ports.store.get(_NO_SPEC)
        except ServiceBusy as busy:
            self._context.note("busy", f"asking the store for an object that is not there: {busy}")
        text = f"the store refuses {name}: {error.code or error}"
        self._context.note("chunk_denied", f"{held.name}: {text}")
        self.failed(held, code, text)

    def give_up(self, held: HeldTask, *, hangs: bool) -> None:
        """Let go of a task whose lease ends; only one that hangs is to blame for it."""
        seconds = self._context.now - held.lease.since
        text = f"it did not move or end in {seconds:.0f} s"
        self._context.note("chunk_given_up", f"{held.name} is given up: {text}")
        if hangs:
            self.failed(held, STUCK, text)
        else:
            self._held.release_later(held)

    def report_progress(self) -> None:
        """Write the progress that tasks report to the ledger: of each once a second at most.

        A task that ends within a second is shown by its result alone.
        """
        context = self._context
        reported = context.ports.compute.reported()
        self._progress = {
            held.ticket: self._progress.get(held.ticket, (0, held.lease.since))
            for held in self._held
            if reported.get(held.ticket)
        }
        if context.paused:
            return
        for ticket, (last, at) in self._progress.items():
            held, progress = self._held.get(ticket), reported[ticket]
            if held is None or progress <= last or context.now - at < PROGRESS_SECONDS:
                continue
            # Before the try: a ledger that is busy is not asked again before the next second.
            self._progress[ticket] = progress, context.now
            job, attempt, now = held.message.job, held.message.attempt, context.ports.clock.now()
            try:
                context.ports.jobs.report_progress(job, attempt, progress, now=now)
            except ServiceError as error:  # also one that denies it: a hint is worth no end
                context.note("untold", f"the progress of {held.name} is not reported: {error}")

    def _store_files(self) -> None:
        """Store the files of tasks before their results are sent."""
        context = self._context
        for held in self._held:
            outcome = held.outcome
            if outcome is None or outcome.file is None or context.paused:
                continue
            try:
                digest = store_file(context.ports.store, held.message, outcome.file)
            except ServiceBusy as error:
                context.busy("storing a file", error)
            except ServiceDenied as error:
                self.denied(held, MAP_DENIED, "its file", error)
            except OSError as error:
                context.note("chunk_failed", f"the file of {held.name} cannot be read: {error}")
                self.failed(held, MACHINE_FAILED, f"its file cannot be read: {error!r}")
            else:
                outcome.file.remove()
                held.outcome = dataclasses.replace(outcome, file=None, digest=digest)

    def _results(self, held: HeldTask, outcome: TaskOutcome) -> list[str]:
        """Return the messages of a result: one, but for rows that do not fit into one."""
        message = held.message
        if outcome.rows is not None:
            reports = RowsMessage.of(message, outcome.rows, worker=self._worker)
            return [report.encode() for report in reports]
        result = ResultMessage(
            job=message.job,
            attempt=message.attempt,
            chunk=message.chunk,
            plan=message.plan,
            token=message.token,
            best=outcome.best,
            worker=self._worker,
            seconds=outcome.seconds,
            digest=outcome.digest,
            payload=outcome.payload,
        )
        return [result.encode()]
