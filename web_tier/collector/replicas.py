"""Chunks that two workers compute, of which nothing is merged before both agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from gridwell.engine.kind import kind_of
from gridwell.engine.replica import Replica, settled
from web_tier.jobs.enqueue import send_chunks

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from gridwell.engine.messages import ResultMessage
    from gridwell.engine.ports import Clock, JobLedger, Queue
    from web_tier.collector.finisher import Finisher

ASK_SECONDS: Final = 20.0  #: after so long without a second opinion the chunk is sent again
PATIENCE_SECONDS: Final = (
    120.0  #: after so long a single one counts: there may be one machine alone
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Holds reports of doubled chunks until two workers agree."""

    ledger: JobLedger
    finisher: Finisher
    clock: Clock

    def wanted(self, job: Job, chunk: int) -> bool:
        """Return whether two workers must agree on a chunk."""
        return self.finisher.signs.is_doubled(job, chunk, self.finisher.doubled_share)

    def take(self, job: Job, message: ResultMessage) -> Job | None:
        """Hold a report, and merge its chunk if two workers agree on it.

        Returns:
            The job after that; None if there is no unfinished job of this attempt.
        """
        replica = Replica.of(
            message.chunk,
            message.register,
            worker=message.worker,
            digest=message.digest or "",
            at=self.clock.now(),
        )
        held = self.ledger.hold(job.id, job.attempt, replica)
        if held is None:
            return None
        pair, contradicting = self._settled(held, message.chunk)
        for each in pair:
            held = self._merge(held, each) or held
        if contradicting:
            workers = sorted({each.worker for each in contradicting})
            why = f"of chunk {message.chunk} two other workers reported the same"
            self.finisher.distrust(held, workers, why)
        return held

    def resolve(self, job: Job, chunks: Queue) -> str:
        """Ask once more for second opinions that do not come, or do without them.

        Args:
            job: as just read.
            chunks: the queue of chunks.

        Returns:
            What was done; empty: nothing.
        """
        now = self.clock.now()
        if not job.replicas or job.deadline < now:
            return ""
        waits = {
            chunk: now - min(each.at for each in replicas)
            for chunk in job.missing
            if (replicas := job.replicas_of(chunk))
        }
        for chunk in [chunk for chunk, seconds in waits.items() if seconds >= PATIENCE_SECONDS]:
            first, *others = job.replicas_of(chunk)
            if all(self._agree(job, first, each) for each in others):
                self._merge(job, first)
                return f"chunk {chunk} is believed: no second worker came to compute it"
            names = " and ".join(sorted({each.worker for each in (first, *others)}))
            self.finisher.discard(job, (), f"of chunk {chunk} {names} reported different results")
            return f"chunk {chunk} is contested: the attempt is discarded"
        asked = [chunk for chunk, seconds in waits.items() if seconds >= ASK_SECONDS]
        if asked and send_chunks(chunks, job, asked, signer=self.finisher.signs):
            return f"second opinions asked for of {len(asked)} chunks"
        return ""

    def _settled(self, job: Job, chunk: int) -> tuple[list[Replica], list[Replica]]:
        return settled(job.replicas_of(chunk), partial(self._agree, job))

    def _agree(self, job: Job, one: Replica, other: Replica) -> bool:
        return kind_of(self.finisher.kinds, job).agree(job, one, other)

    def _merge(self, job: Job, replica: Replica) -> Job | None:
        return self.ledger.merge(
            job.id,
            job.attempt,
            frozenset({replica.task}),
            replica.best,
            worker=replica.worker,
            now=self.clock.now(),
            digests={replica.task: replica.digest} if replica.digest else {},
        )
