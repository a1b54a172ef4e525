"""From the queue into the worker's hand: only what this release can read, and as there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import InvalidMessage, OtherVersion, ServiceBusy
from gridwell.engine.messages import ChunkMessage, Envelope
from gridwell.engine.task_failure import UNSUPPORTED

if TYPE_CHECKING:
    from app_tier.worker.context import WorkerContext
    from app_tier.worker.step_report import StepReport
    from gridwell.engine.ports import Received

_SOON_SECONDS: Final = 0.25  #: before asking a queue again that had fewer messages than wanted
_LATER_SECONDS: Final = 1.0  #: the same where it had none
_RECEIVE_AT_MOST: Final = 10  #: SQS gives no more


class Inbox:
    """Receives chunks.

    Args:
        bench: what the worker works at.
        places: how many chunks it holds at most.
        poll_seconds: of a long poll.
    """

    def __init__(self, bench: WorkerContext, *, places: int, poll_seconds: float) -> None:
        self.empty_polls = 0  #: successful long polls without a message for us, in a row
        self._bench = bench
        self._places = places
        self._poll_seconds = poll_seconds
        self._short_poll_at = bench.now
        self._polled_long = False  #: whether the last poll asked all of the queue's servers

    def rest(self) -> float:
        """Seconds until it is worth to receive more, infinite while there is no room."""
        bench = self._bench
        # What is to be computed alone waits for the others, and not for more of them.
        if len(bench.hand) >= self._places or any(held.suspect for held in bench.hand):
            return float("inf")
        poll_at = self._short_poll_at if len(bench.hand) else bench.now
        return max(0.0, poll_at - bench.now, bench.foreign.left(bench.now))

    def receive(self, step: StepReport) -> list[Received]:
        """Messages for the free places: by a long poll if, and only if, nothing is in hand.

        A long poll blocks results, leases and heartbeats, so it is for empty hands.  A poll that
        fails is not an empty one.
        """
        bench = self._bench
        holding = len(bench.hand) > 0
        if bench.paused or self.rest() > 0:
            return []
        wait = 0.0 if holding else self._poll_seconds
        wanted = min(self._places - len(bench.hand), _RECEIVE_AT_MOST)
        try:
            batch = bench.ports.chunks.receive(at_most=wanted, wait=wait)
        except ServiceBusy as error:
            bench.busy(step, "receiving chunks", error)
            return []
        bench.pause.succeeded()
        self._polled_long = wait > 0
        if not batch:
            self._count_empty()
        if len(batch) < wanted:
            self._short_poll_at = bench.now + (_SOON_SECONDS if batch else _LATER_SECONDS)
        return batch

    def take(self, step: StepReport, batch: list[Received]) -> None:
        """Hold what was received; what this release cannot read or compute is given back.

        Such a message is never deleted: another release's worker may understand it, and after some
        receives it is among the dead letters, for people to see.  A poll that brought nothing but
        another release's, given back before, counts as an empty one: a worker that nobody needs
        goes home, and makes room.
        """
        bench, foreign = self._bench, 0
        for received in batch:
            try:
                message = self._computable(received.body)
            except InvalidMessage as error:
                foreign += isinstance(error, OtherVersion) and received.receives > 1
                self._refuse(step, received, error)
            else:
                bench.hand.take(message, received, bench.now)
        if batch and foreign == len(batch):
            bench.foreign.rest(bench.now)
            self._count_empty()
        elif batch:
            self.empty_polls = 0

    def _count_empty(self) -> None:
        """Count a poll that brought nothing for us: only a long one says that there is nothing."""
        self.empty_polls += self._polled_long

    def _computable(self, body: str) -> ChunkMessage:
        message = ChunkMessage.decode(body)
        if message.kind not in self._bench.ports.runners:
            known = ", ".join(self._bench.ports.runners)
            raise OtherVersion(f"kind {message.kind!r} is none that this release computes: {known}")
        why = self._bench.foreign.why(message.problem, self._bench.now)
        if why is not None:
            raise OtherVersion(why)
        return message

    def _refuse(self, step: StepReport, received: Received, error: InvalidMessage) -> None:
        """Give a message back, and tell whoever waits for its chunk, where that can be told."""
        bench = self._bench
        step.note("message_refused", f"a message is given back: {error}")
        if isinstance(error, OtherVersion):
            bench.foreign.met(str(error), bench.now)
            chunk = Envelope.peek(received.body)
            if chunk is not None and chunk.token is not None:
                bench.report(chunk, received.receives, UNSUPPORTED, str(error))
        bench.release(step, [received.receipt], bench.backoff(received.receives))
