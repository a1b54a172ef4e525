"""Ending a job whose chunks are all merged.

The order is: the record, the answer, the ledger, the cache.  Dying anywhere in between leaves a
job that the next finisher ends the same way, with the same bits.  After the ledger says `done`
nobody finishes it again, so all that must be there for ever is written before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.domain.errors import InvalidMessage, OtherVersion, ServiceDenied
from gridwell.domain.events import JobEvent
from gridwell.domain.job import (
    INTEGRITY,
    NO_CANDIDATE_DETAIL,
    NO_CANDIDATE_POINT,
    STORAGE_DENIED,
    Job,
    JobError,
)
from gridwell.domain.objects import answer_object, problem_object, record_object
from gridwell.domain.problem import Problem
from gridwell.domain.series import flaw
from web_tier.answers import FINAL_SECONDS, answer_key, encode_answer, encode_final, final_key
from web_tier.record import record
from web_tier.stored_objects import calls_about

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.domain.ports import Cache, Clock, JobLedger, ObjectStore

_NO_JOB: Final = "0" * 32
_NO_PROBLEM: Final = problem_object("0" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finisher:
    """Ends complete jobs."""

    ledger: JobLedger
    store: ObjectStore
    cache: Cache
    clock: Clock
    tell: Callable[[JobEvent], None] = lambda _: None  #: hears of each end
    #: Takes what the store refuses without harm to the job: the object, and what it said.
    denied: Callable[[str, ServiceDenied], None] = lambda *_: None

    def finish(self, job: Job) -> Job | None:
        """End a job of which every chunk is merged.

        The winner, or each point of a series, is computed once more, canonically: a wrong result
        can then not become an answer, whoever sent it.

        Returns:
            The ended job; None if this attempt was ended otherwise meanwhile.

        Raises:
            ServiceDenied: if the store or the ledger refuses what this job needs.
        """
        best = job.best
        if best is None:
            return self.fail(job, JobError(NO_CANDIDATE_POINT, NO_CANDIDATE_DETAIL))
        problem = self._problem(job)
        if problem is None:
            return self._fail_gone(job)
        points = (best,) if job.series is None else job.points
        if (why := flaw(problem, points)) is not None:
            detail = (
                f"what worker {job.best_by} reported is wrong: {why}; submit the job again and "
                "check that machine"
            )
            return self.fail(job, JobError(INTEGRITY, detail))
        key = record_object(job.id, job.attempt)
        with calls_about(key):
            self.store.put_new(key, record(problem, *points), content_type="application/json")
        # True whatever becomes of this attempt: it is the problem's, and not the job's.
        answer = encode_answer(job.problem, *points)
        self._keep_answer(job.problem, answer)
        series = () if job.series is None else points
        now = self.clock.now()
        if not self.ledger.finish(job.id, job.attempt, points[0], now=now, points=series):
            return None
        self.cache.set(answer_key(job.problem), answer, seconds=FINAL_SECONDS)
        return self._publish(job)

    def fail_without_problem(self, job: Job) -> Job | None:
        """Fail a job whose stored problem is gone or damaged, if it truly is.

        Returns:
            The failed job; None if this release reads the problem, or another one wrote it.

        Raises:
            ObjectDenied: if the store refuses the problem.
        """
        try:
            problem = self._problem(job)
        except OtherVersion:
            return None
        except InvalidMessage as error:
            detail = f"{error}; remove {problem_object(job.problem)}, then submit the job again"
            return self.fail(job, JobError(INTEGRITY, detail))
        return self._fail_gone(job) if problem is None else None

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
        self.store.get(_NO_PROBLEM)

    def _keep_answer(self, problem: str, answer: bytes) -> None:
        """Store the answer for other jobs of the same problem; this one does not depend on it."""
        key = answer_object(problem)
        try:
            self.store.put_new(key, answer, content_type="application/json")
        except ServiceDenied as error:
            self.denied(f"(answer {key})", error)

    def _fail_gone(self, job: Job) -> Job | None:
        detail = f"the stored problem {job.problem} is gone; submit the job again"
        return self.fail(job, JobError(INTEGRITY, detail))

    def _problem(self, job: Job) -> Problem | None:
        key = problem_object(job.problem)
        with calls_about(key):
            data = self.store.get(key)
        return None if data is None else Problem.decode(data, sha=job.problem)

    def _publish(self, job: Job) -> Job | None:
        """Put what the ledger now says into the cache, where waiting clients look."""
        ended = self.ledger.read(job.id)
        if ended is None or ended.attempt != job.attempt or not ended.state.terminal:
            return None
        self.cache.set(final_key(job.id), encode_final(ended), seconds=FINAL_SECONDS)
        self.tell(JobEvent.of_end(ended, at=self.clock.now()))
        return ended
