"""From the worker's hand into the compute port: only chunks that can be computed and are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app_tier.executor.port import RunTask
from app_tier.worker.problems import Problems
from app_tier.worker.turn import SUSPECT_RECEIVES, isolate_suspects
from gridwell.engine.errors import InvalidMessage, ServiceBusy, ServiceDenied
from gridwell.engine.task_failure import PROBLEM_DENIED, PROBLEM_MISSING, UNSUPPORTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app_tier.worker.context import WorkerContext
    from app_tier.worker.held_tasks import HeldTask
    from app_tier.worker.step_report import StepReport
    from gridwell.engine.job import Job


class _Uncomputable(Exception):  # noqa: N818 - a verdict
    """A chunk cannot be computed here."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Schedule:
    """Has chunks computed.

    Args:
        bench: what the worker works at.
    """

    def __init__(self, bench: WorkerContext) -> None:
        self._bench = bench
        self._problems = Problems(bench.ports.store)

    def admit(self, step: StepReport) -> None:
        """Have new chunks computed, those that are wanted."""
        bench = self._bench
        new = [held for held in bench.hand if not held.submitted]
        if not new or bench.paused or not bench.learn(step, new):
            return
        # A job that is only remembered may have begun a new attempt since, whose chunks these are:
        # what was read after a message came is what may call it void.
        doubtful = [held for held in new if bench.obsolete_reason(held) is not None]
        if doubtful and not bench.learn(step, doubtful, older_than=0.0):
            return
        if not self._judge(step, [held for held in new if not bench.drop_obsolete(step, held)]):
            return
        for held in isolate_suspects(list(bench.hand), bench.ports.chance()):
            try:
                task = self._task(held)
            except ServiceBusy as error:
                bench.busy(step, "fetching a problem", error)
                break
            except ServiceDenied as error:
                bench.denied(step, held, PROBLEM_DENIED, f"problem {held.message.problem}", error)
            except _Uncomputable as error:
                step.note("chunk_refused", f"{held.name} cannot be computed: {error}")
                bench.failed(step, held, error.code, str(error))
            except InvalidMessage as error:  # a forged number, not the job's fault
                step.note("chunk_refused", f"{held.name} cannot be computed: {error}")
                bench.give_back(step, [held], bench.backoff(held.receives))
            else:
                bench.ports.compute.submit(task)
                held.submitted = True
        bench.delete(step)

    def _judge(self, step: StepReport, chunks: Sequence[HeldTask]) -> bool:
        """Find out which chunks may be what ends workers; False if that cannot be known now."""
        bench = self._bench
        for held in chunks:
            if held.suspect is not None:
                continue
            held.suspect = False
            if held.receives <= SUSPECT_RECEIVES:
                continue
            message = held.message
            try:
                told = bench.ports.jobs.read_failure(message.job, message.attempt, message.chunk)
            except ServiceBusy as error:
                held.suspect = None
                bench.busy(step, "reading a failure", error)
                return False
            held.suspect = told is None
        return True

    def _task(self, held: HeldTask) -> RunTask:
        message = held.message
        if unreadable := self._bench.jobs.unreadable(message.job):
            raise _Uncomputable(UNSUPPORTED, unreadable)
        job = self._bench.jobs.get(message.job)
        if job is None:  # such a chunk is void, and dropped before
            raise InvalidMessage(f"there is no job {message.job}")
        if message.chunk >= job.plan.chunks:
            raise InvalidMessage(f"its job has {job.plan.chunks} tasks, numbered from 0")
        data = self._problems.get(message.problem)
        if data is None:
            raise _Uncomputable(PROBLEM_MISSING, f"problem {message.problem} is not in the store")
        return RunTask(
            ticket=held.ticket,
            kind=message.kind,
            spec=message.problem,
            data=data,
            detail=_detail(job),
            task=message.chunk,
            hint=self._bench.jobs.best(message.job),
        )


def _detail(job: Job) -> Mapping[str, Any]:
    return {"plan": job.plan.encode()}
