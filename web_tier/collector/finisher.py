"""Ending a job whose chunks are all merged, or discarding what was merged if that is proved wrong.

The order is: the record, the answer, the ledger, the cache.  Dying anywhere in between leaves a
job that the next finisher ends the same way, with the same bits.  After the ledger says `done`
nobody finishes it again, so all that must be there for ever is written before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from gridwell.engine.errors import InvalidMessage, OtherVersion, ServiceDenied
from gridwell.engine.job import INTEGRITY, STORAGE_DENIED, Job, JobError
from gridwell.engine.job_events import JobEvent
from gridwell.engine.kind import Draw, Flaw, Kinds, kind_of
from gridwell.engine.object_keys import answer_object, problem_object, record_object
from gridwell.engine.stored_objects import calls_about
from gridwell.engine.task_failure import Suspect
from web_tier.collector.task_results import end_tasks
from web_tier.jobs.cached_jobs import (
    FINAL_SECONDS,
    answer_key,
    encode_final,
    final_key,
)
from web_tier.jobs.sealed_cache import sealed
from web_tier.jobs.signer import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gridwell.engine.ports import Cache, Clock, JobLedger, ObjectStore

_NO_JOB: Final = "0" * 32
_NO_PROBLEM: Final = problem_object("0" * 64)


DEFAULT_SAMPLES: Final = 1000  #: of a large job's answer
MAX_REFUSALS: Final = 2  #: attempts whose answer is proved wrong, before the one that fails the job


@dataclass(frozen=True, slots=True)
class ObjectRefusal:
    """An answer that was proved wrong, with the workers that must have reported it."""

    job: Job
    workers: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finisher:
    """Ends complete jobs."""

    ledger: JobLedger
    store: ObjectStore
    cache: Cache
    clock: Clock
    kinds: Kinds  #: a job of another kind is another release's
    tell: Callable[[JobEvent], None] = lambda _: None  #: hears of each end
    #: Takes what the store refuses without harm to the job: the object, and what it said.
    denied: Callable[[str, ServiceDenied], None] = lambda *_: None
    refused: Callable[[ObjectRefusal], None] = lambda _: None  #: hears of each answer proved wrong
    signer: Signer | None = None  #: None: one that reads the ledger's secret
    doubled_share: float = 0.0  #: of all chunks, that two workers compute
    checked_points: int = DEFAULT_SAMPLES  #: at which the answer of a large job is checked

    def __post_init__(self) -> None:
        if self.signer is None:
            object.__setattr__(self, "signer", Signer(self.ledger))
        object.__setattr__(self, "cache", sealed(self.cache, self.signs))

    @property
    def signs(self) -> Signer:
        """What signs chunks and attempts."""
        return cast("Signer", self.signer)

    def finish(self, job: Job) -> Job | None:
        """End a job of which every chunk is merged, as its kind says.

        Its kind verifies what is merged, with samples drawn at random after the report: a wrong
        choice that none of these disproves becomes the answer.

        Returns:
            The ended job; None if this attempt was ended otherwise meanwhile, or its answer was
            proved wrong and another attempt has begun.

        Raises:
            OtherVersion: if this release has not the job's kind.
            ServiceDenied: if the store or the ledger refuses what this job needs.
        """
        kind = kind_of(self.kinds, job)
        if job.has_rows:
            closed = end_tasks(self.ledger, job, now=self.clock.now())
            return self._publish(job) if closed else None
        spec = self._spec(job)
        if spec is None:
            return self._fail_gone(job)
        end = kind.end(job, spec, self._draw(job))
        if isinstance(end, Flaw):
            return self._refuse(job, end)
        if isinstance(end, JobError):
            return self.fail(job, end)
        key = record_object(job.id, job.attempt)
        with calls_about(key):
            self.store.put_new(key, end.record, content_type="application/json")
        # True whatever becomes of this attempt: it is the spec's, and not the job's.
        if end.answer is not None:
            self._keep_answer(job.spec, end.answer)
        if not self.ledger.finish(job.id, job.attempt, end.best, now=self.clock.now()):
            return None
        if end.answer is not None:
            self.cache.set(answer_key(job.spec), end.answer, seconds=FINAL_SECONDS)
        return self._publish(job)

    def fail_without_problem(self, job: Job) -> Job | None:
        """Fail a job whose stored problem is gone or damaged, if it truly is.

        Returns:
            The failed job; None if this release reads the problem, or another one wrote it, or
            knows what to do with it.

        Raises:
            ObjectDenied: if the store refuses the problem.
        """
        try:
            kind, spec = kind_of(self.kinds, job), self._spec(job)
            if spec is not None:
                kind.check_spec(job, spec)
        except OtherVersion:
            return None
        except InvalidMessage as error:
            detail = f"{error}; remove {problem_object(job.spec)}, then submit the job again"
            return self.fail(job, JobError(INTEGRITY, detail))
        return self._fail_gone(job) if spec is None else None

    def fail(
        self,
        job: Job,
        error: JobError,
        *,
        unless_done: int | None = None,
        past_deadline: bool = False,
    ) -> Job | None:
        """Fail a job's attempt; the reason is checked again in the write.

        Returns:
            The failed job; None if the reason no longer held.
        """
        failed = self.ledger.fail(
            job.id,
            job.attempt,
            error,
            now=self.clock.now(),
            unless_done=unless_done,
            past_deadline=past_deadline,
        )
        return self._publish(job) if failed else None

    def fail_denied(
        self, job: Job, error: ServiceDenied, *, past_deadline: bool = False
    ) -> Job | None:
        """Fail a job of which the store or the ledger refuses what it needs.

        Returns:
            The failed job; None if it was ended otherwise meanwhile.
        """
        failure = JobError(STORAGE_DENIED, f"{str(error)[:400]}; then submit the job again")
        return self.fail(job, failure, past_deadline=past_deadline)

    def probe(self) -> None:
        """Read a job and an object that nobody has: a refusal of these is no single job's.

        Raises:
            ServiceDenied: if the ledger or the store refuses every call.
            ServiceBusy: if that cannot be found out now.
        """
        self.ledger.read(_NO_JOB)
        self.signs.load()
        self.store.get(_NO_PROBLEM)

    def _keep_answer(self, problem: str, answer: bytes) -> None:
        """Store the answer for other jobs of the same problem; this one does not depend on it."""
        key = answer_object(problem)
        try:
            self.store.put_new(key, answer, content_type="application/json")
        except ServiceDenied as error:
            self.denied(f"(answer {key})", error)

    def distrust(self, job: Job, workers: Sequence[str], why: str) -> None:
        """Record workers whose reports of an attempt are proved wrong, and tell of them."""
        now = self.clock.now()
        for worker in workers:
            self.ledger.record_suspect(
                Suspect(
                    worker=worker,
                    attempts=frozenset({job.attempt}),
                    job=job.id,
                    why=why,
                    at=now,
                )
            )
        self.refused(ObjectRefusal(job, tuple(workers), why))

    def discard(self, job: Job, workers: Sequence[str], why: str) -> Job | None:
        """Discard an attempt whose reports are proved wrong; after some of them fail the job.

        Returns:
            The failed job; None if another attempt has begun.
        """
        self.distrust(job, workers, why)
        if job.refusals < MAX_REFUSALS:
            fresh = self.signs.next_attempt(job)
            self.ledger.restart(job.id, job.attempt, fresh, now=self.clock.now())
            return None
        detail = (
            f"what worker {' or '.join(workers) or 'unknown'} reported is wrong: {why}; so it was "
            f"in {job.refusals} attempts before; check that machine, then submit the job again"
        )
        return self.fail(job, JobError(INTEGRITY, detail))

    def _draw(self, job: Job) -> Draw:
        """Draw what nobody can know who reported."""
        seed = self.signs.seed(job, *(() if job.best is None else job.best.keys))
        return Draw(seed=seed, most=self.checked_points)

    def _refuse(self, job: Job, flaw: Flaw) -> Job | None:
        """Discard an attempt whose answer is proved wrong."""
        if flaw.task is None:
            suspects = [] if job.best is None or job.best.by is None else [job.best.by]
        else:  # the reports of that task overlooked it
            suspects = job.reporters(flaw.task)
        return self.discard(job, suspects, flaw.why)

    def _fail_gone(self, job: Job) -> Job | None:
        detail = f"the stored problem {job.spec} is gone; submit the job again"
        return self.fail(job, JobError(INTEGRITY, detail))

    def _spec(self, job: Job) -> bytes | None:
        key = problem_object(job.spec)
        with calls_about(key):
            return self.store.get(key)

    def _publish(self, job: Job) -> Job | None:
        """Put what the ledger now says into the cache, where waiting clients look."""
        ended = self.ledger.read(job.id)
        if ended is None or ended.attempt != job.attempt or not ended.state.terminal:
            return None
        self.cache.set(final_key(job.id), encode_final(ended), seconds=FINAL_SECONDS)
        self.tell(JobEvent.of_end(ended, at=self.clock.now()))
        return ended
