"""What becomes of dead letters: messages that were received too often.

Those that this release cannot read stay where they are, for people and for other releases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import InvalidMessage, ServiceBusy, ServiceDenied, ServiceError
from gridwell.engine.kind import kind_of
from gridwell.engine.messages import ChunkMessage, decode_report
from gridwell.engine.task_failure import UNSUPPORTED
from web_tier.collector.task_failures import dead_letter_error
from web_tier.collector.task_results import TaskResults, is_missing, tasks_of
from web_tier.jobs.enqueue import MAX_PACK, send_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gridwell.engine.job import Job
    from gridwell.engine.messages import Report
    from gridwell.engine.ports import JobLedger, Queue, Received
    from gridwell.engine.task_failure import ChunkFailure
    from web_tier.collector.denials import Denials
    from web_tier.collector.finisher import Finisher
    from web_tier.jobs.signer import Signer

_BATCH: Final = 10
_BATCHES: Final = 30  #: of a queue in one round


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Something the reconciler did, for the log."""

    job: str
    did: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Reads both queues of dead letters."""

    ledger: JobLedger
    chunks: Queue
    results: Queue
    dead_chunks: Queue
    dead_results: Queue
    finisher: Finisher
    denials: Denials
    signer: Signer

    def receive(self) -> tuple[list[Received], list[Received]]:
        """The first letters of both queues, dead chunks first.

        Raises:
            ServiceBusy: if one of the queues cannot be read.
        """
        return self._first("dead chunks", self.dead_chunks), self._first(
            "dead results", self.dead_results
        )

    def _first(self, name: str, queue: Queue) -> list[Received]:
        """The first letters of a queue; none of one that may not be read."""
        try:
            return queue.receive(at_most=_BATCH, wait=0)
        except ServiceDenied as error:
            self.denials.add(f"(queue of {name})", error)
            return []

    def handle(self, letters: tuple[list[Received], list[Received]]) -> list[Reconciled]:
        """Do what those letters, and all after them, ask for."""
        return [
            *self._all(self.dead_chunks, letters[0], self._chunk),
            *self._all(self.dead_results, letters[1], self._result),
        ]

    def _all(
        self,
        queue: Queue,
        letters: Sequence[Received],
        handle: Callable[[Received], list[Reconciled]],
    ) -> list[Reconciled]:
        done: list[Reconciled] = []
        kept: list[str] = []
        try:
            for _ in range(_BATCHES):
                for letter in letters:
                    try:
                        done += handle(letter)
                    except InvalidMessage:
                        kept.append(letter.receipt)
                if len(letters) < _BATCH:
                    break
                letters = queue.receive(at_most=_BATCH, wait=0)
            if kept:  # whoever lists them shall see them
                queue.extend(kept, 0)
        except ServiceError as error:
            done.append(Reconciled("-", f"dead letters left for the next round: {error}"))
        return done

    def _chunk(self, letter: Received) -> list[Reconciled]:
        """Send a dead letter's chunk once more, or fail its job if that cannot help.

        Machines that switch themselves off give chunks back, which counts as receiving them: one
        death of a chunk without a reported error does not prove that it is to blame.  Nor do
        errors that all come from one machine.
        """
        message = ChunkMessage.decode(letter.body)
        what = f"dead letter of chunk {message.chunk}"
        try:
            job = self.ledger.read(message.job)
            if job is None or not self._matters(message, job):
                self.dead_chunks.delete([letter.receipt])
                return []
            kind_of(self.finisher.kinds, job)  # one of another release is left to it
            failure = self.ledger.read_failure(job.id, job.attempt, message.chunk)
            if not message.again and _may_succeed(failure):
                # Send first, delete second: dying in between costs a third try.
                sent = send_tasks(
                    self.chunks,
                    job,
                    message.task_set,
                    signer=self.signer,
                    pack=MAX_PACK,
                    again=True,
                )
                if not sent:
                    return [Reconciled(job.id, f"{what} left: the queue refused it")]
                self.dead_chunks.delete([letter.receipt])
                return [Reconciled(job.id, f"{what} sent once more")]
            failed = self._fail(job, message, failure)
            self.dead_chunks.delete([letter.receipt])
        except ServiceDenied as error:
            self.denials.add(message.job, error)
            return []
        except ServiceBusy as busy:
            return [Reconciled(message.job, f"{what} left: {busy}")]
        return [Reconciled(job.id, what)] if failed else []

    def _fail(self, job: Job, message: ChunkMessage, failure: ChunkFailure | None) -> bool:
        """Fail a job by its dead chunk, or only that chunk's tasks where they leave rows.

        Returns:
            Whether the chunk was still to blame.
        """
        if not job.has_rows:
            error = dead_letter_error(message.chunk, failure)
            return self.finisher.fail(job, error, unless_done=message.chunk) is not None
        store, clock = self.finisher.store, self.finisher.clock
        after = TaskResults(ledger=self.ledger, store=store, clock=clock).give_up(
            job, message.task_set
        )
        if after is not None and after.complete:
            self.finisher.finish(after)
        return after is not None

    def _result(self, letter: Received) -> list[Reconciled]:
        """Send a readable result again, if it is still wanted.

        An outage has let it die, or a collector of a release that could not read it.
        """
        message = decode_report(letter.body)
        what = f"dead result of chunk {message.chunk}"
        try:
            job = self.ledger.read(message.job)
            wanted = job is not None and self._matters(message, job)
            if wanted and job is not None:
                kind_of(self.finisher.kinds, job)
            if wanted and self.results.send([letter.body]):
                return [Reconciled(message.job, f"{what} left: the queue refused it")]
            self.dead_results.delete([letter.receipt])
        except ServiceDenied as error:
            self.denials.add(message.job, error)
            return []
        except ServiceBusy as busy:
            return [Reconciled(message.job, f"{what} left: {busy}")]
        return [Reconciled(message.job, f"{what} sent again")] if wanted else []

    def _matters(self, message: ChunkMessage | Report, job: Job) -> bool:
        """Return whether a letter is of the current attempt, and of tasks that it still lacks."""
        return (
            job.attempt == message.attempt
            and not job.state.terminal
            and job.plan == message.plan
            and message.chunk < job.tasks
            and is_missing(self.ledger, job, tasks_of(message))
        )


def _may_succeed(failure: ChunkFailure | None) -> bool:
    """Return whether a chunk that died once may succeed elsewhere, by its known failures."""
    return failure is None or failure.code == UNSUPPORTED or failure.on_one_machine
