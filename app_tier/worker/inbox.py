"""Receipt of tasks: those that this release can read and run, as far as there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import InvalidMessage, OtherVersion, ServiceBusy
from gridwell.engine.messages import ChunkMessage, Envelope
from gridwell.engine.task_failure import UNSUPPORTED

if TYPE_CHECKING:
    from app_tier.worker.context import WorkerContext
    from app_tier.worker.held_tasks import HeldTasks
    from app_tier.worker.outbox import Outbox
    from gridwell.engine.ports import Received

_SOON_SECONDS: Final = 0.25  #: before asking a queue again that had fewer messages than wanted
_LATER_SECONDS: Final = 1.0  #: the same where it had none
_RECEIVE_AT_MOST: Final = 10  #: SQS gives no more


class Inbox:
    """Receives tasks.

    Args:
        context: of the worker.
        held: takes what is received.
        outbox: takes reports of what another release must run.
        places: how many tasks the worker holds at most.
        poll_seconds: of a long poll.
    """

    def __init__(
        self,
        context: WorkerContext,
        held: HeldTasks,
        outbox: Outbox,
        *,
        places: int,
        poll_seconds: float,
    ) -> None:
        self.empty_polls = 0  #: successful long polls without a message for us, in a row
        self._context = context
        self._held = held
        self._outbox = outbox
        self._places = places
        self._poll_seconds = poll_seconds
        self._short_poll_at = context.now
        self._polled_long = False  #: whether the last poll asked all of the queue's servers

    def rest(self) -> float:
        """Return the seconds until it is worth to receive more, infinite while there is no room."""
        now = self._context.now
        # A task that is run alone waits for the others, and not for more of them.
        if len(self._held) >= self._places or any(held.suspect for held in self._held):
            return float("inf")
        poll_at = self._short_poll_at if len(self._held) else now
        return max(0.0, poll_at - now, self._context.others.left(now))

    def receive(self) -> list[Received]:
        """Receive messages for the free places: by a long poll if, and only if, nothing is held.

        A long poll blocks results, leases and heartbeats, so it is for empty hands.  A poll that
        fails is not an empty one.
        """
        context = self._context
        if context.paused or self.rest() > 0:
            return []
        wait = 0.0 if len(self._held) else self._poll_seconds
        wanted = min(self._places - len(self._held), _RECEIVE_AT_MOST)
        try:
            batch = context.ports.chunks.receive(at_most=wanted, wait=wait)
        except ServiceBusy as error:
            context.busy("receiving chunks", error)
            return []
        context.pause.succeeded()
        self._polled_long = wait > 0
        if not batch:
            self._count_empty()
        if len(batch) < wanted:
            self._short_poll_at = context.now + (_SOON_SECONDS if batch else _LATER_SECONDS)
        return batch

    def take(self, batch: list[Received]) -> None:
        """Hold the received tasks; give back those that this release cannot read or run.

        Such a message is never deleted: another release's worker may understand it, and after some
        receives it is among the dead letters, for people to see.  A poll that brought nothing but
        another release's, given back before, counts as an empty one: a worker without work goes
        home, and makes room.
        """
        other = 0
        for received in batch:
            try:
                message = self._runnable(received.body)
            except InvalidMessage as error:
                other += isinstance(error, OtherVersion) and received.receives > 1
                self._refuse(received, error)
            else:
                self._held.take(message, received)
        if batch and other == len(batch):
            self._context.others.rest(self._context.now)
            self._count_empty()
        elif batch:
            self.empty_polls = 0

    def _count_empty(self) -> None:
        """Count a poll that brought nothing for us: only a long one shows that there is nothing."""
        self.empty_polls += self._polled_long

    def _runnable(self, body: str) -> ChunkMessage:
        message, runners = ChunkMessage.decode(body), self._context.ports.runners
        if message.kind not in runners:
            known = ", ".join(runners)
            raise OtherVersion(f"kind {message.kind!r} is none that this release computes: {known}")
        reason = self._context.others.reason(message.problem, self._context.now)
        if reason is not None:
            raise OtherVersion(reason)
        return message

    def _refuse(self, received: Received, error: InvalidMessage) -> None:
        """Give a message back, and report its task, where it says whose it is."""
        self._context.note("message_refused", f"a message is given back: {error}")
        if isinstance(error, OtherVersion):
            self._context.others.met(str(error), self._context.now)
            chunk = Envelope.peek(received.body)
            if chunk is not None and chunk.token is not None:
                self._outbox.report(chunk, received.receives, UNSUPPORTED, str(error))
        seconds = self._held.retry_seconds(received.receives)
        self._held.release_messages([received.receipt], seconds)
