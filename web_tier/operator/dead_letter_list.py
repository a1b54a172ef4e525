"""List of dead letters with their reasons, and redrive of selected ones."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.messages import ChunkMessage, Envelope, decode_report
from web_tier.collector.task_failures import failure_detail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gridwell.engine.job import Job
    from gridwell.engine.ports import Clock, JobLedger, Queue, Received

_BATCH: Final = 10
_LOOK_SECONDS: Final = 300.0  #: for which messages are leased while they are listed
_POLL_SECONDS: Final = 1.0  #: only a long poll reads all of a queue's servers


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was received too often."""

    kind: str  #: of its queue: chunks or results
    received: Received
    job: str | None  #: None: the message does not name it
    chunk: int | None
    client: str  #: owner of the job; empty: unknown
    age: float | None  #: seconds since it was first sent
    reason: str  #: cause of its failure, or the reason for which it is obsolete

    def fields(self) -> dict[str, Any]:
        """Return its fields as JSON data."""
        return {
            "queue": f"dead-{self.kind}",
            "job": self.job,
            "chunk": self.chunk,
            "age_seconds": self.age,
            "receives": self.received.receives,
            "why": self.reason,
            "body": self.received.body,
        }

    def line(self) -> str:
        """Return it as a line of text."""
        age = "?" if self.age is None else _duration(self.age)
        chunk = "?" if self.chunk is None else self.chunk
        job = self.job or "?"
        return f"dead-{self.kind:<7}  {job:<32}  chunk {chunk:<4}  {age:>6}  {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterList:
    """Both queues of dead letters.

    Args:
        ledger: holds the jobs and the failures of their chunks.
        dead: queues of dead letters by kind, chunks and results.
        living: queues that the dead letters of each kind came from.
        clock: measures their age.
    """

    ledger: JobLedger
    dead: Mapping[str, Queue]
    living: Mapping[str, Queue]
    clock: Clock

    @contextmanager
    def held(self, limit: int) -> Iterator[list[DeadLetter]]:
        """Lease up to `limit` dead letters until the end of the block, then release them."""
        found: list[DeadLetter] = []
        try:
            for kind, queue in self.dead.items():
                while len(found) < limit:
                    at_most = min(_BATCH, limit - len(found))
                    batch = queue.receive(at_most=at_most, wait=_POLL_SECONDS)
                    if not batch:
                        break
                    found += [self._letter(kind, received) for received in batch]
                    queue.extend([received.receipt for received in batch], _LOOK_SECONDS)
            yield found
        finally:
            for kind, queue in self.dead.items():
                # Messages that were deleted meanwhile are ignored.
                queue.extend([each.received.receipt for each in found if each.kind == kind], 0)

    def redrive(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Send leased dead letters back to the queues that they came from.

        Returns:
            Those that the queue refused; they stay dead letters.
        """
        refused: list[DeadLetter] = []
        for kind, client in sorted({(letter.kind, letter.client) for letter in letters}):
            group = [each for each in letters if (each.kind, each.client) == (kind, client)]
            bodies = [letter.received.body for letter in group]
            # Send first, delete second: a crash in between costs a duplicate and loses no message.
            indexes = set(self.living[kind].send(bodies, group=client))
            refused += [letter for index, letter in enumerate(group) if index in indexes]
            sent = [letter for index, letter in enumerate(group) if index not in indexes]
            self.dead[kind].delete([letter.received.receipt for letter in sent])
        return refused

    def _letter(self, kind: str, received: Received) -> DeadLetter:
        envelope = Envelope.peek(received.body)
        job: Job | None = None
        try:
            if kind == "chunks":
                ChunkMessage.decode(received.body)
            else:
                decode_report(received.body)
            job = None if envelope is None else self.ledger.read(envelope.job)
            reason = self._reason(kind, envelope, job)
        except InvalidMessage as error:
            reason = str(error)
        sent_at = received.sent_at
        return DeadLetter(
            kind=kind,
            received=received,
            job=None if envelope is None else envelope.job,
            chunk=None if envelope is None else envelope.chunk,
            client="" if job is None else job.client,
            age=None if sent_at is None else max(0.0, self.clock.now() - sent_at),
            reason=reason,
        )

    def _reason(self, kind: str, envelope: Envelope | None, job: Job | None) -> str:
        if envelope is None or job is None:
            return "not wanted: its job does not exist any more"
        reasons = {
            f"its job is at run {job.run}": job.attempt != envelope.attempt,
            f"its job is {job.state}": job.state.terminal,
            "its result is merged": envelope.task_set <= job.ended,
        }
        for reason, holds in reasons.items():
            if holds:
                return f"not wanted: {reason}"
        failure = self.ledger.read_failure(job.id, job.attempt, envelope.chunk)
        if failure is not None:
            return failure_detail(failure)
        return (
            "no worker reported an error" if kind == "chunks" else "it could not be merged in time"
        )


def _duration(seconds: float) -> str:
    """Return a time in one unit, such as ``3 min``."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
