"""The reconciler: brings jobs on that a crash, or a lost message, has left behind."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from gridwell.engine.count_tasks import count_tasks, missing_tasks
from gridwell.engine.errors import InvalidMessage, ServiceBusy, ServiceDenied
from gridwell.engine.job import DEADLINE_EXCEEDED, INTEGRITY, LOST_MESSAGES, JobError
from gridwell.engine.kind import kind_of
from web_tier.collector.dead_letters import DeadLetters, Reconciled
from web_tier.collector.denials import Denials
from web_tier.collector.replicas import Replicas
from web_tier.collector.task_failures import TaskFailures
from web_tier.collector.task_results import settle_again
from web_tier.jobs.enqueue import resend_seconds, send_of_job

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from gridwell.engine.ports import Clock, JobLedger, Queue
    from web_tier.collector.finisher import Finisher

UNSENT_SECONDS: Final = 15.0  #: after so long without `sent_at` the submitter is taken for dead
QUIET_SECONDS: Final = 60.0  #: the queue must read empty for so long to be believed
STILL_SECONDS: Final = 660.0  #: a chunk's hard limit and one lease: nothing moves for longer
MAX_RESENDS: Final = 5


class ReconcileStep(enum.Enum):
    """What a job needs."""

    NOTHING = "nothing"
    FINISH = "finish"
    EXPIRE = "expire"
    SEND = "send"  #: its submitter died before all messages were sent
    RESEND = "resend"  #: messages were lost
    GIVE_UP = "give up"  #: they keep getting lost


def next_step(job: Job, *, now: float, quiet: bool) -> ReconcileStep:
    """What an unfinished job needs.

    Missing chunks are sent again only when they are really lost, as sending every missing chunk
    each round multiplies an honest backlog until nothing else runs.

    Args:
        job: as just read.
        now: the time.
        quiet: whether the chunk queue has read empty for `QUIET_SECONDS`.
    """
    if job.complete:
        return ReconcileStep.FINISH
    if job.deadline < now:
        return ReconcileStep.EXPIRE
    if job.sent_at is None:
        return ReconcileStep.SEND if now - job.created >= UNSENT_SECONDS else ReconcileStep.NOTHING
    if job.resend_at is None or now < job.resend_at:
        return ReconcileStep.NOTHING
    still = now - max(job.sent_at, job.moved or 0.0) >= STILL_SECONDS
    if not quiet and not still:
        return ReconcileStep.NOTHING
    return ReconcileStep.RESEND if job.resends < MAX_RESENDS else ReconcileStep.GIVE_UP


class Reconciler:
    """Looks at every unfinished job, and at the dead letters, a round a step."""

    def __init__(
        self,
        *,
        ledger: JobLedger,
        chunks: Queue,
        results: Queue,
        dead_chunks: Queue,
        dead_results: Queue,
        finisher: Finisher,
        clock: Clock,
        denials: Denials | None = None,
    ) -> None:
        self.denials = denials or Denials(clock)  #: what services refuse of single jobs
        self._signer = finisher.signs
        self._ledger = ledger
        self._chunks = chunks
        self._finisher = finisher
        self._clock = clock
        self._opinions = Replicas(ledger=ledger, finisher=finisher, clock=clock)
        self._failures = TaskFailures(ledger=ledger, finisher=finisher, clock=clock)
        self._dead_letters = DeadLetters(
            ledger=ledger,
            chunks=chunks,
            results=results,
            dead_chunks=dead_chunks,
            dead_results=dead_results,
            finisher=finisher,
            denials=self.denials,
            signer=self._signer,
        )
        self._empty_since: float | None = None

    def step(self) -> list[Reconciled]:
        """Do for each job what it needs.

        All that concerns every job is read first, so that no failure hides what was done.  What
        a service refuses of one job is in `denials`: that job is tried again later and later, and
        ends by its deadline.

        Raises:
            ServiceBusy: if the queues or the index cannot be read; nothing was done.
            ServiceDenied: if the index may not be read; nothing was done.
        """
        quiet = self._quiet()
        jobs = self._ledger.unfinished()
        letters = self._dead_letters.receive()
        done: list[Reconciled] = []
        for job in jobs:
            try:
                done += self._reconcile(job, quiet=quiet)
            except (ServiceBusy, InvalidMessage) as error:
                done.append(Reconciled(job, f"left for the next round: {error}"))
            except ServiceDenied as error:
                self.denials.add(job, error)
        return done + self._dead_letters.handle(letters)

    def _quiet(self) -> bool:
        try:
            depth = self._chunks.depth()
        except ServiceDenied as error:
            self.denials.add("(queue of chunks)", error)
            return False
        now = self._clock.monotonic()
        if depth.visible or depth.in_flight:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now
        return self._empty_since is not None and now - self._empty_since >= QUIET_SECONDS

    def _reconcile(self, job_id: str, *, quiet: bool) -> list[Reconciled]:
        job = self._ledger.read(job_id)
        if job is None or job.state.terminal:
            return []  # the index lags
        kind = kind_of(self._finisher.kinds, job)
        now = self._clock.now()
        if did := self._opinions.resolve(job, self._chunks):
            return [Reconciled(job.id, did)]
        step = next_step(job, now=now, quiet=quiet)
        late = job.deadline < now
        if step is ReconcileStep.NOTHING or (self.denials.waits(job.id) and not late):
            return []
        if step is ReconcileStep.FINISH:
            acted = self._finish(job, now)
        elif step is ReconcileStep.EXPIRE:
            seconds = job.deadline - job.created
            counts = count_tasks(self._ledger, job)
            detail = (
                f"not done within {seconds:.0f} seconds: {counts.done} of {job.tasks} "
                f"chunks were{self._failures.last(job)}{self._refusal(job)}; submit it again to "
                "try once more"
            )
            error = JobError(DEADLINE_EXCEEDED, detail)
            acted = self._finisher.fail(job, error, past_deadline=True) is not None
        elif step is ReconcileStep.SEND:
            acted = self._send(job, with_replicas=True)
            if acted:
                later = now + resend_seconds(kind.seconds(job))
                self._ledger.mark_sent(job.id, job.attempt, sent_at=now, resend_at=later)
        elif step is ReconcileStep.RESEND:
            acted = self._resend(job, now)
        else:
            missing = len(missing_tasks(self._ledger, job))
            detail = (
                f"{missing} chunk messages were sent {MAX_RESENDS + 1} times and brought "
                f"no result{self._failures.last(job)}; look at the workers' logs"
            )
            acted = self._finisher.fail(job, JobError(LOST_MESSAGES, detail)) is not None
        if acted:
            self.denials.forget(job.id)
        return [Reconciled(job.id, step.value)] if acted else []

    def _refusal(self, job: Job) -> str:
        """What a service refused of a job, to end a sentence; or nothing."""
        why = self.denials.current.get(job.id)
        return f"; {why[:400]}" if why else ""

    def _finish(self, job: Job, now: float) -> bool:
        try:
            return self._finisher.finish(job) is not None
        except InvalidMessage as error:
            # The stored problem may be of a newer release, whose collector can read it in time.
            if now <= job.deadline:
                raise
            failure = JobError(INTEGRITY, f"{error}; submit the job again")
            return self._finisher.fail(job, failure, past_deadline=True) is not None
        except ServiceDenied as error:
            # Until the deadline somebody may allow it, and all results are there.
            if now <= job.deadline:
                raise
            return self._finisher.fail_denied(job, error, past_deadline=True) is not None

    def _resend(self, job: Job, now: float) -> bool:
        sent_at = job.sent_at or job.created
        wait = (job.resend_at or now) - sent_at  # as long again: the time since `sent_at` doubles
        if settle_again(self._ledger, job, now=now) is not None:
            return True
        won = self._ledger.claim_resend(job.id, job.attempt, seen=job.resend_at, later=now + wait)
        return won and self._send(job)

    def _send(self, job: Job, *, with_replicas: bool = False) -> bool:
        """Queue the tasks that a job lacks; returns whether the queue took all of them."""
        return send_of_job(
            self._chunks,
            job,
            missing_tasks(self._ledger, job),
            seconds=kind_of(self._finisher.kinds, job).seconds(job),
            signer=self._signer,
            share=self._finisher.doubled_share if with_replicas else 0.0,
        )
