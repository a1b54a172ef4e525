"""What the failed tries of a chunk mean for its job.

A job fails for a reason that is true when it is written, and as soon as that can be told safely:
when its stored problem is gone or damaged, which is looked at here and not believed, or when its
computation raised the same error again and again, as it would on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from gridwell.engine.count_tasks import missing_tasks
from gridwell.engine.errors import InvalidMessage, ServiceDenied, ServiceError
from gridwell.engine.job import CHUNK_FAILED, NO_WORKER, Job, JobError
from gridwell.engine.read_jobs import counted
from gridwell.engine.task_failure import (
    HOPELESS_TRIES,
    PROBLEM_DENIED,
    PROBLEM_MISSING,
    PROBLEM_UNREADABLE,
    UNSUPPORTED,
    ChunkFailure,
    failure_of,
)

if TYPE_CHECKING:
    from gridwell.engine.messages import ErrorMessage
    from gridwell.engine.ports import Clock, JobLedger
    from web_tier.collector.finisher import Finisher

_LOOKED_AT: Final = 8  #: missing chunks whose failures are read to tell why a job came no further


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailures:
    """Records the failed tries that workers report."""

    ledger: JobLedger
    finisher: Finisher
    clock: Clock

    def record(self, job: Job, message: ErrorMessage) -> Job | None:
        """Keep a failed try of a chunk of this job.

        Returns:
            The job if it failed by this; else None.
        """
        failure = self.ledger.record_failure(failure_of(message, self.clock.now()))
        if message.code in (PROBLEM_MISSING, PROBLEM_UNREADABLE, PROBLEM_DENIED):
            return self._examine_problem(job, failure)
        if failure.hopeless:
            error = JobError(CHUNK_FAILED, hopeless_detail(failure))
            return self.finisher.fail(job, error, unless_done=failure.chunk)
        return None

    def last(self, job: Job) -> str:
        """The last known failure of a chunk that a job lacks, to end a sentence; or nothing.

        Failures that cannot be read keep no job from its end.
        """
        try:
            for chunk in islice(missing_tasks(self.ledger, job), _LOOKED_AT):
                failure = self.ledger.read_failure(job.id, job.attempt, chunk)
                if failure is not None:
                    return f"; {failure_detail(failure)}"
        except (ServiceError, InvalidMessage) as error:
            return f"; its chunks' failures cannot be read: {str(error)[:200]}"
        return ""

    def _examine_problem(self, job: Job, failure: ChunkFailure) -> Job | None:
        """Fail a job whose problem is gone or damaged, or refused again and again.

        A refusal may pass, so a job fails by it only after several tries, and only if the
        collector is refused too.
        """
        try:
            return self.finisher.fail_without_problem(job)
        except ServiceDenied as error:
            if len(failure.tries) < HOPELESS_TRIES:
                return None
            return self.finisher.fail_denied(job, error)


def failure_detail(failure: ChunkFailure) -> str:
    """What is known of a chunk's failed tries."""
    times = "once" if len(failure.tries) == 1 else f"{len(failure.tries)} times"
    machines = f" (on {counted(len(failure.workers), 'machine')})" if times != "once" else ""
    return (
        f"chunk {failure.chunk} failed {times}, last on worker {failure.worker}: "
        f"{failure.text}{machines}"
    )


def hopeless_detail(failure: ChunkFailure) -> str:
    """Why a chunk is not tried again, though it could be."""
    return (
        f"{failure_detail(failure)}; the last {len(failure.alike)} tries said the same, and would "
        "on any machine, so please report it"
    )


def dead_letter_error(chunk: int, failure: ChunkFailure | None) -> JobError:
    """Why a job fails whose chunk's message became a dead letter for good."""
    if failure is None:
        return JobError(
            CHUNK_FAILED,
            f"chunk {chunk} was taken by workers again and again, and then once more, and none "
            "told a result or an error: computing it seems to end the whole worker; look at the "
            "instances' consoles, then submit the job again",
        )
    if failure.code == UNSUPPORTED:
        return JobError(
            NO_WORKER,
            f"no worker's release can compute chunk {chunk}; worker {failure.worker} says: "
            f"{failure.text}; let instances of another release run, then submit the job again",
        )
    where = (
        ", also after it was sent once more; no other machine was there to try it"
        if failure.on_one_machine
        else ""
    )
    return JobError(
        CHUNK_FAILED,
        f"{failure_detail(failure)}{where}; look at that worker's log, then submit the job again",
    )
