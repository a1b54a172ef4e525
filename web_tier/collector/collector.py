"""The collector: merges results into the ledger and ends the jobs that they complete.

Set union and the least register, so duplicates, any order and any number of collectors give the
same state.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import (
    InvalidMessage,
    OtherVersion,
    ServiceBusy,
    ServiceDenied,
    ServiceError,
)
from gridwell.engine.job_events import EventKind, JobEvent
from gridwell.engine.kind import kind_of
from gridwell.engine.lru_cache import LruCache
from gridwell.engine.messages import (
    ErrorMessage,
    Report,
    ResultMessage,
    RowsMessage,
    decode_report,
)
from gridwell.engine.read_jobs import readable_jobs
from gridwell.engine.register import Best, lesser
from web_tier.collector.denials import Denials
from web_tier.collector.replicas import Replicas
from web_tier.collector.task_failures import TaskFailures
from web_tier.collector.task_results import TaskResults, is_missing, misfit, run_of, tasks_of
from web_tier.jobs.cached_jobs import PROGRESS_SECONDS, encode_progress, progress_key
from web_tier.jobs.sealed_cache import sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.job import Job
    from gridwell.engine.kind import Kind
    from gridwell.engine.ports import Cache, Clock, JobLedger, Queue, Received
    from web_tier.collector.finisher import Finisher

_BATCH: Final = 10  #: results a step: what one receive gives and one merge takes
_LEASE_SECONDS: Final = 60.0  #: of the queue of results
_RENEW_SECONDS: Final = 20.0  #: after so long a step asks for another lease
_QUEUE: Final = "(queue of results)"
_KNOWN: Final = 1000  #: attempts remembered, so that their plans are not read again


@dataclass(slots=True)
class Collected:
    """What one step did."""

    received: int = 0
    merged: int = 0  #: results that the ledger took, duplicates among them
    late: int = 0  #: results of ended or older attempts
    ended: list[Job] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  #: tries of chunks that workers reported
    refused: list[str] = field(default_factory=list)  #: why a report was not believed
    postponed: list[str] = field(default_factory=list)  #: why results stay in the queue


class Collector:
    """Takes results from their queue, a batch a step."""

    def __init__(
        self,
        *,
        results: Queue,
        ledger: JobLedger,
        finisher: Finisher,
        cache: Cache,
        clock: Clock,
        poll_seconds: float,
        tell: Callable[[JobEvent], None] = lambda _: None,
        denials: Denials | None = None,
    ) -> None:
        self.denials = denials or Denials(clock)  #: what services refuse of single jobs
        self._signer = finisher.signs
        self._results = results
        self._ledger = ledger
        self._finisher = finisher
        self._cache = sealed(cache, finisher.signs)
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._tell = tell  #: hears of progress; the finisher's own of the ends
        self._opinions = Replicas(ledger=ledger, finisher=finisher, clock=clock)
        self._tasks = TaskResults(ledger=ledger, store=finisher.store, clock=clock)
        self._failures = TaskFailures(ledger=ledger, finisher=finisher, clock=clock)
        self._known: LruCache[tuple[str, str], Job] = LruCache(_KNOWN)

    def step(self) -> Collected:
        """Receive and merge one batch.

        Messages are deleted after all that follows from them is durable; those of a job whose
        merge did not succeed stay and come again.  Ending a job of many atoms takes seconds, so
        the jobs that are complete come last, and hold up none of the others.

        What a service refuses of one job is in `denials`, and keeps no other job from its end.

        Raises:
            ServiceBusy: if the queue cannot be read; nothing happened.
            ServiceDenied: if the queue may not be read; nothing happened.
        """
        collected = Collected()
        batch = self._results.receive(at_most=_BATCH, wait=self._poll_seconds)
        leased_at = self._clock.monotonic()
        collected.received = len(batch)
        groups = _by_attempt(batch, collected)
        if groups:
            self._learn(list(groups), collected)
        handled: list[str] = []
        complete: list[tuple[Job, list[str]]] = []
        for (job, attempt), reports in groups.items():
            receipts = [received.receipt for received, _ in reports]
            try:
                merged = self._collect(job, attempt, [report for _, report in reports], collected)
            except (ServiceBusy, InvalidMessage) as error:
                collected.postponed.append(f"job {job}: {error}")
                continue
            except ServiceDenied as error:
                self.denials.add(job, error)
                continue
            if merged is not None and merged.complete:
                complete.append((merged, receipts))
            else:
                handled += receipts
        self._delete(handled, collected)
        while complete:
            if self._clock.monotonic() - leased_at >= _RENEW_SECONDS:
                leased_at = self._clock.monotonic()
                self._renew([each for _, receipts in complete for each in receipts], collected)
            self._end(*complete.pop(0), collected)
        return collected

    def probe(self) -> None:
        """See `Finisher.probe`."""
        self._finisher.probe()

    def _end(self, job: Job, receipts: list[str], collected: Collected) -> None:
        """End a complete job, then delete the results that completed it."""
        try:
            ended = self._finisher.finish(job)
        except (ServiceBusy, InvalidMessage) as error:
            collected.postponed.append(f"job {job.id}: {error}")
            return
        except ServiceDenied as error:
            self.denials.add(job.id, error)
            return
        self.denials.forget(job.id)
        if ended is not None:
            collected.ended.append(ended)
        self._delete(receipts, collected)

    def _delete(self, receipts: list[str], collected: Collected) -> None:
        try:
            if receipts:
                self._results.delete(receipts)
        except ServiceBusy as error:
            # They come again and merge into nothing; what was done is told all the same.
            collected.postponed.append(f"deleting {len(receipts)} results: {error}")
        except ServiceDenied as error:
            self.denials.add(_QUEUE, error)

    def _renew(self, receipts: list[str], collected: Collected) -> None:
        """Keep other collectors from ending the same jobs meanwhile, which would do no harm."""
        try:
            self._results.extend(receipts, _LEASE_SECONDS)
        except ServiceBusy as error:
            collected.postponed.append(f"keeping {len(receipts)} results: {error}")
        except ServiceDenied as error:
            self.denials.add(_QUEUE, error)

    def _learn(self, attempts: list[tuple[str, str]], collected: Collected) -> None:
        """Read the jobs of attempts that have not been met yet."""
        unknown = {job for job, attempt in attempts if (job, attempt) not in self._known}
        try:
            # One that cannot be read is told when its own results are looked at.
            found, _ = readable_jobs(self._ledger, sorted(unknown)) if unknown else ({}, {})
        except ServiceError as error:  # a refusal may be one job's: each is read by itself
            collected.postponed.append(f"reading {len(unknown)} jobs: {error}")
            return
        for job in found.values():
            self._known.put((job.id, job.attempt), job)

    def _collect(
        self,
        job: str,
        attempt: str,
        reports: list[Report],
        collected: Collected,
    ) -> Job | None:
        """Merge results and record failures of one attempt.

        Returns:
            The job after the last merge; None if nothing was merged.
        """
        known = self._known.get((job, attempt)) or self._ledger.read(job)
        if known is None or known.attempt != attempt:
            collected.late += len(reports)
            return None
        kind = kind_of(self._finisher.kinds, known)
        results: list[ResultMessage] = []
        rows: list[RowsMessage] = []
        failed: list[ErrorMessage] = []
        for report in reports:
            if why := self._unbelievable(report, known, kind):
                collected.refused.append(f"job {job}: {why}")
            elif isinstance(report, ErrorMessage):
                failed.append(report)
            elif isinstance(report, RowsMessage):
                rows.append(report)
            else:
                results.append(report)
        merged = self._merge_all(known, results, collected)
        if rows:
            merged = self._tasks.collect(known, rows)
            collected.late += 0 if merged else len(rows)
            collected.merged += len(rows) if merged else 0
        if merged is not None and not merged.complete:
            self._cache.set(progress_key(job), encode_progress(merged), seconds=PROGRESS_SECONDS)
            self._tell(JobEvent(kind=EventKind.PROGRESS, job=merged, at=self._clock.now()))
        self._record(merged or known, failed, collected)
        return merged

    def _merge_all(
        self, known: Job, results: list[ResultMessage], collected: Collected
    ) -> Job | None:
        """Merge results, but for those of chunks of which a second worker's is awaited."""
        merged: Job | None = None
        by_worker: defaultdict[str, list[ResultMessage]] = defaultdict(list)
        for result in results:
            if not self._opinions.wanted(known, result.chunk):
                by_worker[result.worker].append(result)
                continue
            merged = self._opinions.take(known, result)
            collected.late += merged is None
            collected.merged += merged is not None and result.chunk in merged.done
        for worker, own in by_worker.items():
            merged = self._merge(known.id, known.attempt, worker, own)
            if merged is None:
                collected.late += len(own)
            else:
                collected.merged += len(own)
        return merged

    def _unbelievable(self, message: Report, job: Job, kind: Kind) -> str | None:
        """Return why a report cannot be of this job and attempt, if it cannot."""
        if (why := _misfit(message, job)) is not None:
            return why
        if isinstance(message, ResultMessage) and (why := kind.misfit(job, message)) is not None:
            return why
        if self._signer.is_token(message.token, job, message.chunk, run_of(message)):
            return None
        return (
            f"a report of chunk {message.chunk} in the name of worker {message.worker}, without "
            "the token of that chunk"
        )

    def _merge(self, job: str, attempt: str, worker: str, own: list[ResultMessage]) -> Job | None:
        least: Best | None = reduce(lesser, (message.register for message in own), None)
        chunks = frozenset(message.chunk for message in own)
        digests = {message.chunk: message.digest for message in own if message.digest is not None}
        now = self._clock.now()
        return self._ledger.merge(
            job, attempt, chunks, least, worker=worker, now=now, digests=digests
        )

    def _record(self, job: Job, failed: list[ErrorMessage], collected: Collected) -> None:
        """Record failed tries of chunks that are not known to be merged after all."""
        for message in failed:
            if not self._is_wanted(job, message):
                continue
            collected.failed.append(
                f"job {job.id}: chunk {message.chunk} failed on worker {message.worker} "
                f"({message.code}): {message.text}"
            )
            ended = self._failures.record(job, message)
            if ended is not None:
                collected.ended.append(ended)

    def _is_wanted(self, job: Job, message: ErrorMessage) -> bool:
        """Return whether a chunk that failed is not merged after all."""
        if not job.has_rows:
            return message.chunk not in job.done
        return is_missing(self._ledger, job, tasks_of(message))


def _by_attempt(
    batch: list[Received], collected: Collected
) -> dict[tuple[str, str], list[tuple[Received, Report]]]:
    """The reports of a batch that can be read, by job and attempt.

    Those that cannot be are not deleted: the redrive policy takes them to the dead letters, for
    people to see, and for a collector that can read them.
    """
    groups: defaultdict[tuple[str, str], list[tuple[Received, Report]]] = defaultdict(list)
    for received in batch:
        try:
            report = decode_report(received.body)
        except OtherVersion as error:
            collected.postponed.append(f"kept for a collector of another release: {error}")
        except InvalidMessage as error:
            collected.refused.append(str(error))
        else:
            groups[report.job, report.attempt].append((received, report))
    return groups


def _misfit(message: Report, job: Job) -> str | None:
    """Return what a report says of itself that is not of its job, if anything."""
    if message.plan != job.plan:
        return f"a result of plan {message.plan}, the job's is {job.plan}"
    if message.chunk >= job.tasks:
        return f"a result of chunk {message.chunk}, the job has {job.tasks}"
    return misfit(message, job)
