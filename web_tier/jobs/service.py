"""Submitting and reading jobs: what the HTTP side does, without HTTP.

The order of `JobService.submit` is what makes each crash harmless: the problem is stored before the
job that names it, and from the ledger's entry on the job is accepted, whatever fails afterwards.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from gridwell.engine.errors import ServiceBusy, ServiceError
from gridwell.engine.job import PUBLIC_CLIENT, Job, JobState, job_id
from gridwell.engine.job_events import EventKind, JobEvent
from gridwell.engine.kind import NO_KINDS, Ended, Kinds, Work
from gridwell.engine.object_keys import answer_object, problem_object, record_object
from gridwell.engine.ports import Page
from gridwell.engine.stored_objects import calls_about
from gridwell.engine.task_set import TaskSet
from web_tier.jobs.cached_jobs import (
    FINAL_SECONDS,
    PROGRESS_SECONDS,
    answer_key,
    decode_final,
    encode_final,
    encode_progress,
    final_key,
    progress_key,
)
from web_tier.jobs.enqueue import resend_seconds, send_of_job
from web_tier.jobs.new_job import build_new_job, ended_job
from web_tier.jobs.quota_check import Reservation
from web_tier.jobs.reported_progress import with_counts, with_progress
from web_tier.jobs.sealed_cache import sealed
from web_tier.jobs.signer import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gridwell.engine.ports import Cache, Clock, JobLedger, ObjectStore, Queue

logger = logging.getLogger(__name__)

_CANCEL_ROUNDS: Final = 4  #: the first cancels, the second tells; more only if the job renews


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
    #: For a job of a client; raises if it is too much.
    charge: Callable[[str, Work], Reservation] = lambda *_: Reservation()
    tell: Callable[[JobEvent], None] = lambda _: None  #: hears of jobs accepted and cancelled
    doubled_share: float = 0.0  #: of all chunks, that two workers compute
    signer: Signer | None = None  #: None: one that reads the ledger's secret
    #: Called with a job that was asked for and is another client's.
    foreign: Callable[[Job], None] = lambda _: None
    #: That report progress; that of others is not shown.
    kinds: Kinds = field(default_factory=lambda: NO_KINDS)

    def __post_init__(self) -> None:
        if self.signer is None:
            object.__setattr__(self, "signer", Signer(self.ledger))
        object.__setattr__(self, "cache", sealed(self.cache, cast("Signer", self.signer)))

    def submit(self, work: Work) -> Job:
        """Join, renew or make the job of this client for some work.

        Args:
            work: what is asked.

        Returns:
            The job: done where the answer is known already, else queued or running, or failed
            where trying again cannot help.

        Raises:
            InvalidJob: if it is refused; a `HopelessJob` if no computation can answer it.
            ServiceBusy: if it is unknown whether the job was accepted; asking again joins it.
                Or what `admit` and `charge` raise, before anything is stored.
        """
        now = self.clock.now()
        job = job_id(self.client, work.sha, work.kind)
        values = self.cache.get_many([final_key(job), answer_key(work.sha)])
        joined, seen = self._look(job, _lasting(values, job, now), now)
        if joined is not None:
            return joined
        if (refusal := work.refusal()) is not None:
            raise refusal
        end = self._known_end(work, values)
        if end is None:
            self.admit()
            cast("Signer", self.signer).load()  # now: once a job is accepted nothing may fail
        fresh = build_new_job(work, self.draw_attempt(), self.client, seen, now)
        with Reservation() if end is not None else self.charge(self.client, work) as charge:
            self._store(work)
            if end is not None:
                fresh = ended_job(fresh, end, now)
                key = record_object(job, fresh.attempt)
                with calls_about(key):
                    self.store.put_new(key, end.record, content_type="application/json")
            if not self.ledger.create(fresh, replaces=seen):
                return self._first(job, now)
            charge.accept()
        # From here on the job is accepted: nothing below may fail the request.
        if seen is not None:
            self.cache.delete(final_key(job))
        self.tell(JobEvent(kind=EventKind.ACCEPTED, job=fresh, at=now))
        if end is not None:
            self.tell(JobEvent.of_end(fresh, at=now))
            return self._remembered(fresh)
        self._dispatch(fresh, work.seconds)
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
        return Page(tuple(with_progress(self.ledger, kept, self.kinds)), page.cursor)

    def spec(self, job: Job) -> bytes | None:
        """Return what was asked, as its kind stored it, or None if its object has expired.

        Raises:
            ObjectDenied: if the store refuses it.
        """
        key = problem_object(job.spec)
        with calls_about(key):
            return self.store.get(key)

    def record(self, job: Job) -> bytes | None:
        """The record of a done job as JSON text, or None if its object has expired.

        Raises:
            ObjectDenied: if the store refuses it.
        """
        key = record_object(job.id, job.attempt)
        with calls_about(key):
            return self.store.get(key)

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
        return with_counts(self.ledger, with_progress(self.ledger, [job], self.kinds)[0])

    def _known_end(self, work: Work, values: Mapping[str, bytes]) -> Ended | None:
        """Return the end that an equal spec's answer gives, if that is still kept and true."""
        if work.known is None:
            return None
        data = values.get(answer_key(work.sha))
        if data is None:
            try:
                data = self.store.get(answer_object(work.sha))
            except ServiceError as error:
                # Computing it once more costs time; refusing the job would cost the client.
                logger.warning(
                    "known answers cannot be read, so the problem is computed: %s",
                    error,
                    extra={"action": "answer.unread", "problem": work.sha},
                )
        return None if data is None else work.known(data)

    def _store(self, work: Work) -> None:
        key = problem_object(work.sha)
        with calls_about(key):
            self.store.put_new(key, work.encode(), content_type="application/octet-stream")

    def _first(self, job: str, now: float) -> Job:
        """The job of whoever was first."""
        stored = self.ledger.read(job)
        if stored is None or stored.renewable(now):
            raise ServiceBusy(f"job {job} changed while it was being submitted; submit it again")
        return self._remembered(stored)

    def _dispatch(self, job: Job, seconds: float) -> None:
        """Send the chunks; what does not succeed is left to the reconciler."""
        try:
            sent = send_of_job(
                self.chunks,
                job,
                TaskSet.span(0, job.tasks),
                seconds=seconds,
                signer=cast("Signer", self.signer),
                share=self.doubled_share,
            )
            if sent:
                sent_at = self.clock.now()
                self.ledger.mark_sent(
                    job.id,
                    job.attempt,
                    sent_at=sent_at,
                    resend_at=sent_at + resend_seconds(seconds),
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
