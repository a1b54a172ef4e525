"""The collector: merges results into the ledger and ends the jobs that they complete.

Set union and minimum, so duplicates, any order and any number of collectors give the same state.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gridwell.domain.errors import InvalidMessage, ServiceBusy
from gridwell.domain.messages import ResultMessage
from gridwell.domain.minimum import lesser
from web_tier.answers import PROGRESS_SECONDS, encode_progress, progress_key

if TYPE_CHECKING:
    from gridwell.domain.job import Job
    from gridwell.domain.minimum import Minimum
    from gridwell.domain.ports import Cache, Clock, JobLedger, Queue, Received
    from web_tier.finisher import Finisher

_BATCH: Final = 10  #: results a step: what one receive gives and one merge takes
_KNOWN: Final = 1000  #: attempts remembered, so that their plans are not read again


@dataclass(slots=True)
class Collected:
    """What one step did."""

    received: int = 0
    merged: int = 0  #: results that the ledger took, duplicates among them
    late: int = 0  #: results of ended or older attempts
    ended: list[Job] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  #: why a result was not believed
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
    ) -> None:
        self._results = results
        self._ledger = ledger
        self._finisher = finisher
        self._cache = cache
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._known: OrderedDict[tuple[str, str], Job] = OrderedDict()

    def step(self) -> Collected:
        """Receive and merge one batch.

        Messages are deleted after all that follows from them is durable; those of a job whose
        merge did not succeed stay and come again.

        Raises:
            ServiceBusy: if the queue cannot be read; nothing happened.
        """
        collected = Collected()
        batch = self._results.receive(at_most=_BATCH, wait=self._poll_seconds)
        collected.received = len(batch)
        groups: defaultdict[tuple[str, str], list[tuple[Received, ResultMessage]]]
        groups = defaultdict(list)
        for received in batch:
            try:
                message = ResultMessage.decode(received.body)
            except InvalidMessage as error:
                # Not deleted: the redrive policy takes it to the dead letters, for people to see.
                collected.refused.append(str(error))
                continue
            groups[message.job, message.attempt].append((received, message))
        if groups:
            self._learn(list(groups), collected)
        handled: list[str] = []
        for (job, attempt), pairs in groups.items():
            try:
                self._collect(job, attempt, [message for _, message in pairs], collected)
            except (ServiceBusy, InvalidMessage) as error:
                collected.postponed.append(f"job {job}: {error}")
            else:
                handled += [received.receipt for received, _ in pairs]
        if handled:
            try:
                self._results.delete(handled)
            except ServiceBusy as error:
                # They come again and merge into nothing; what was done is told all the same.
                collected.postponed.append(f"deleting {len(handled)} results: {error}")
        return collected

    def _learn(self, attempts: list[tuple[str, str]], collected: Collected) -> None:
        """Read the jobs of attempts that have not been met yet."""
        unknown = {job for job, attempt in attempts if (job, attempt) not in self._known}
        try:
            found = self._ledger.read_many(sorted(unknown)) if unknown else {}
        except ServiceBusy as error:
            collected.postponed.append(f"reading {len(unknown)} jobs: {error}")
            return
        for job in found.values():
            self._known[job.id, job.attempt] = job
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _collect(
        self, job: str, attempt: str, messages: list[ResultMessage], collected: Collected
    ) -> None:
        known = self._known.get((job, attempt)) or self._ledger.read(job)
        if known is None or known.attempt != attempt:
            collected.late += len(messages)
            return
        by_worker: defaultdict[str, list[ResultMessage]] = defaultdict(list)
        for message in messages:
            if why := _unbelievable(message, known):
                collected.refused.append(f"job {job}: {why}")
            else:
                by_worker[message.worker].append(message)
        merged: Job | None = None
        for worker, own in by_worker.items():
            best: Minimum | None = None
            for message in own:
                best = lesser(best, message.minimum)
            chunks = frozenset(message.chunk for message in own)
            merged = self._ledger.merge(
                job, attempt, chunks, best, worker=worker, now=self._clock.now()
            )
            if merged is None:
                collected.late += len(own)
            else:
                collected.merged += len(own)
        if merged is None:
            return
        if merged.complete:
            ended = self._finisher.finish(merged)
            if ended is not None:
                collected.ended.append(ended)
        else:
            self._cache.set(progress_key(job), encode_progress(merged), seconds=PROGRESS_SECONDS)


def _unbelievable(message: ResultMessage, job: Job) -> str | None:
    """Why a result cannot be of this job, if it cannot."""
    if message.plan != job.plan.sha:
        return f"a result of plan {message.plan}, the job's is {job.plan.sha}"
    if message.chunk >= job.plan.chunks:
        return f"a result of chunk {message.chunk}, the job has {job.plan.chunks}"
    minimum = message.minimum
    if minimum is not None and minimum.index >= job.grid.points:
        return f"a minimum at point {minimum.index}, the grid has {job.grid.points}"
    return None
