"""Submitting and reading jobs: what the HTTP side does, without HTTP.

The order of `JobService.submit` is what makes each crash harmless: the problem is stored before the
job that names it, and from the ledger's entry on the job is accepted, whatever fails afterwards.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from gridwell.engine.errors import Fault, InvalidJob, ServiceBusy, ServiceError
from gridwell.engine.job import (
    NO_CANDIDATE_DETAIL,
    NO_CANDIDATE_POINT,
    PUBLIC_CLIENT,
    Job,
    JobState,
    job_id,
)
from gridwell.engine.job_events import EventKind, JobEvent
from gridwell.engine.messages import MAP_KIND, MINIMUM_KIND
from gridwell.engine.object_keys import answer_object, problem_object, record_object
from gridwell.engine.ports import Page
from gridwell.engine.stored_objects import calls_about
from gridwell.kinds.grid.feasibility import has_no_candidate
from gridwell.kinds.grid.likely_minimum import find_incumbent
from gridwell.kinds.grid.map_reader import SLAB_POINTS, map_values
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.record import record
from web_tier.jobs.cached_jobs import (
    FINAL_SECONDS,
    PROGRESS_SECONDS,
    answer_key,
    decode_answer,
    decode_final,
    encode_final,
    encode_progress,
    final_key,
    progress_key,
)
from web_tier.jobs.enqueue import doubled, resend_seconds, send_chunks
from web_tier.jobs.new_job import build_new_job, ended_job, refuse_long_series, verify_answer
from web_tier.jobs.quota_check import Reservation
from web_tier.jobs.reported_progress import with_progress
from web_tier.jobs.sealed_cache import sealed
from web_tier.jobs.signer import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from gridwell.engine.ports import Cache, Clock, JobLedger, ObjectStore, Queue
    from gridwell.kinds.grid.minimum import Minimum

logger = logging.getLogger(__name__)

_CANCEL_ROUNDS: Final = 4  #: the first cancels, the second tells; more only if the job renews


class NoCandidatePoint(InvalidJob):
    """No point of the grid qualifies, and that was cheap to see."""

    code = NO_CANDIDATE_POINT

    def __init__(self) -> None:
        super().__init__(Fault("", NO_CANDIDATE_DETAIL))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobService:
    """Jobs, as one client sees them."""

    ledger: JobLedger
    store: ObjectStore
    cache: Cache
    chunks: Queue
    clock: Clock
    draw_attempt: Callable[[], str]  #: 16 fresh random hex digits
    admit: Callable[[], None] = lambda: None  #: raises if no more chunks should be queued
    client: str = PUBLIC_CLIENT  #: whose jobs these are: those of others do not exist here
    #: For a job of a client, by its problem and kind; raises if it is too much.
    charge: Callable[[str, Problem, str], Reservation] = lambda *_: Reservation()
    tell: Callable[[JobEvent], None] = lambda _: None  #: hears of jobs accepted and cancelled
    doubled_share: float = 0.0  #: of all chunks, that two workers compute
    signer: Signer | None = None  #: None: one that reads the ledger's secret
    #: Called with a job that was asked for and is another client's.
    foreign: Callable[[Job], None] = lambda _: None

    def __post_init__(self) -> None:
        if self.signer is None:
            object.__setattr__(self, "signer", Signer(self.ledger))
        object.__setattr__(self, "cache", sealed(self.cache, cast("Signer", self.signer)))

    def submit(self, problem: Problem, *, seed: int | None = None, kind: str = MINIMUM_KIND) -> Job:
        """The job of this client for a problem: joined, renewed or made.

        Args:
            problem: what is asked.
            seed: the request's own way to write the atoms, kept for people to read.
            kind: of its chunks.  Only a job that wants the minimum alone ends with an answer that
                is known: others want more than that.

        Returns:
            The job: done where the answer is known already, else queued or running, or failed
            where trying again cannot help.

        Raises:
            NoCandidatePoint: if no point qualifies and that is cheap to know.
            InvalidJob: if a series would take longer than one chunk may.
            ServiceBusy: if it is unknown whether the job was accepted; asking again joins it.
                Or what `admit` and `charge` raise, before anything is stored.
        """
        now = self.clock.now()
        job = job_id(self.client, problem.sha, kind)
        values = self.cache.get_many([final_key(job), answer_key(problem.sha)])
        joined, seen = self._look(job, _lasting(values, job, now), now)
        if joined is not None:
            return joined
        if has_no_candidate(problem):
            raise NoCandidatePoint
        refuse_long_series(problem)
        answer = None if kind == MAP_KIND else self._known_answer(problem, values)
        if answer is None:
            self.admit()
            cast("Signer", self.signer).load()  # now: once a job is accepted nothing may fail
        fresh = build_new_job(problem, self.draw_attempt(), self.client, seed, seen, now, kind=kind)
        known = answer is not None
        with Reservation() if known else self.charge(self.client, problem, kind) as charge:
            self._store(problem)
            if answer is not None:
                fresh = ended_job(fresh, answer, now)
                key = record_object(job, fresh.attempt)
                with calls_about(key):
                    self.store.put_new(
                        key, record(problem, *answer), content_type="application/json"
                    )
            if not self.ledger.create(fresh, replaces=seen):
                return self._first(job, now)
            charge.accept()
        # From here on the job is accepted: nothing below may fail the request.
        if seen is not None:
            self.cache.delete(final_key(job))
        self.tell(JobEvent(kind=EventKind.ACCEPTED, job=fresh, at=now))
        if answer is not None:
            self.tell(JobEvent.of_end(fresh, at=now))
            return self._remembered(fresh)
        self._dispatch(fresh)
        return fresh

    def read(self, job: str) -> Job | None:
        """A job of this client, or None if there is none (any more).

        Raises:
            ServiceBusy: if neither cache nor ledger can tell.
        """
        now = self.clock.now()
        found = _lasting(self.cache.get_many([final_key(job)]), job, now)
        if found is None:
            found = self.ledger.read(job)
            if found is None or _expired(found, now):
                return None
            found = self._remembered(found)
        return found if self._owns(found) else None

    def cancel(self, job: str) -> Job | None:
        """End a job of this client that has not ended; workers drop its chunks by themselves.

        Returns:
            The job as it is then: cancelled, by this call or before, or ended otherwise already;
            None if there is none (any more).

        Raises:
            ServiceBusy: if it is unknown whether the job was cancelled; asking again is harmless.
        """
        for _ in range(_CANCEL_ROUNDS):
            now = self.clock.now()
            found = self.ledger.read(job)
            if found is None or not self._owns(found) or _expired(found, now):
                return None
            if found.state.terminal:
                return self._remembered(found)
            # What refuses is an end or a new attempt since the read: look again.
            if self.ledger.cancel(job, found.attempt, now=now):
                cancelled = dataclasses.replace(found, state=JobState.CANCELLED, finished=now)
                self.tell(JobEvent.of_end(cancelled, at=now))
        raise ServiceBusy(f"job {job} changes too fast to be cancelled")

    def recent(self, *, limit: int, cursor: str | None = None) -> Page:
        """This client's jobs, the newest first; expired ones are left out.

        Raises:
            InvalidJob: if the cursor is not one of ours.
        """
        now = self.clock.now()
        page = self.ledger.recent(self.client, limit=limit, cursor=cursor)
        kept = [job for job in page.jobs if not _expired(job, now)]
        return Page(tuple(with_progress(self.ledger, kept)), page.cursor)

    def problem(self, job: Job) -> Problem | None:
        """The problem of a job, or None if its object has expired.

        Raises:
            ObjectDenied: if the store refuses it.
        """
        key = problem_object(job.problem)
        with calls_about(key):
            data = self.store.get(key)
        return None if data is None else Problem.decode(data, sha=job.problem)

    def record(self, job: Job) -> bytes | None:
        """The record of a done job as JSON text, or None if its object has expired.

        Raises:
            ObjectDenied: if the store refuses it.
        """
        key = record_object(job.id, job.attempt)
        with calls_about(key):
            return self.store.get(key)

    def map(self, job: Job, *, most_points: int = SLAB_POINTS) -> Iterator[NDArray[np.float64]]:
        """The map that a done job kept: see `gridwell.kinds.grid.map_reader.map_values`."""
        return map_values(self.store, job, most_points=most_points)

    def _owns(self, job: Job) -> bool:
        """Return whether a job is this client's."""
        if job.client != self.client:
            self.foreign(job)
        return job.client == self.client

    def _look(self, job: str, final: Job | None, now: float) -> tuple[Job | None, Job | None]:
        """Return the job that a request joins, if there is one, and else the one that it renews.

        A cache may outlive what the ledger holds, as where that was restored or emptied; so an end
        that the cache has is believed only while the ledger has the same attempt, or is away.
        """
        try:
            seen = self.ledger.read(job)
        except ServiceBusy:
            if final is None:
                raise
            return final, None
        if seen is None or seen.renewable(now):
            return None, seen
        if final is not None and final.attempt == seen.attempt:
            return final, None
        return self._remembered(seen), None

    def _remembered(self, job: Job) -> Job:
        """The job as it is shown; if it has ended the cache knows it from now on."""
        if job.state.terminal:
            self.cache.set(final_key(job.id), encode_final(job), seconds=FINAL_SECONDS)
        return with_progress(self.ledger, [job])[0]

    def _known_answer(
        self, problem: Problem, values: Mapping[str, bytes]
    ) -> tuple[Minimum, ...] | None:
        """The answer that somebody's equal problem got, if it is still kept."""
        data = values.get(answer_key(problem.sha))
        if data is None:
            try:
                data = self.store.get(answer_object(problem.sha))
            except ServiceError as error:
                # Computing it once more costs time; refusing the job would cost the client.
                logger.warning(
                    "known answers cannot be read, so the problem is computed: %s",
                    error,
                    extra={"action": "answer.unread", "problem": problem.sha},
                )
        answer = None if data is None else decode_answer(data, problem.sha)
        if answer is None or not verify_answer(answer, problem):
            return None
        return answer

    def _store(self, problem: Problem) -> None:
        hinted = dataclasses.replace(problem, incumbent=find_incumbent(problem))
        key = problem_object(problem.sha)
        with calls_about(key):
            self.store.put_new(key, hinted.encode(), content_type="application/octet-stream")

    def _first(self, job: str, now: float) -> Job:
        """The job of whoever was first."""
        stored = self.ledger.read(job)
        if stored is None or stored.renewable(now):
            raise ServiceBusy(f"job {job} changed while it was being submitted; submit it again")
        return self._remembered(stored)

    def _dispatch(self, job: Job) -> None:
        """Send the chunks; what does not succeed is left to the reconciler."""
        try:
            signer = cast("Signer", self.signer)
            chunks = doubled(job, range(job.plan.chunks), signer, self.doubled_share)
            if send_chunks(self.chunks, job, chunks, signer=signer):
                sent_at = self.clock.now()
                self.ledger.mark_sent(
                    job.id,
                    job.attempt,
                    sent_at=sent_at,
                    resend_at=sent_at + resend_seconds(job),
                )
            else:
                logger.warning(
                    "job %s: the queue refused chunks; the reconciler will send them",
                    job.id,
                    extra={"action": "job.unsent", "job": job.id},
                )
        except ServiceError as error:
            logger.warning(
                "job %s is accepted, but not all is sent; the reconciler will look after it: %s",
                job.id,
                error,
                extra={"action": "job.unsent", "job": job.id},
            )
        self.cache.set(progress_key(job.id), encode_progress(job), seconds=PROGRESS_SECONDS)


def _lasting(values: Mapping[str, bytes], job: str, now: float) -> Job | None:
    """The ended job that the cache holds, if no new attempt can have followed it.

    A late finisher may put an ended attempt back after a new one began, so an end that a new
    request would renew is looked up in the ledger.
    """
    data = values.get(final_key(job))
    final = None if data is None else decode_final(data, job)
    return None if final is None or final.renewable(now) else final


def _expired(job: Job, now: float) -> bool:
    return job.expires is not None and job.expires < now
