"""The chunks that a worker has in hand: leased, and not yet given back or deleted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app_tier.worker.lease import TaskLease

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app_tier.executor.port import TaskOutcome
    from gridwell.engine.messages import ChunkMessage
    from gridwell.engine.ports import Received


@dataclass(slots=True)
class HeldTask:
    """A chunk in hand."""

    ticket: int
    message: ChunkMessage
    receipts: list[str]  #: of every delivery of it, as duplicates must be deleted too
    receives: int
    lease: TaskLease
    suspect: bool | None = None  #: may be what ends workers; None: not judged yet
    submitted: bool = False  #: the compute port has it, or had it
    outcome: TaskOutcome | None = None  #: its result, which waits to be sent

    @property
    def name(self) -> str:
        """The chunk, for people."""
        return f"chunk {self.message.chunk} of job {self.message.job}"


class HeldTasks:
    """Chunks in hand by ticket; the same chunk is never held twice."""

    def __init__(self) -> None:
        self._held: dict[int, HeldTask] = {}
        self._tickets = itertools.count(1)

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[HeldTask]:
        """Those in hand at this moment: taking some away meanwhile is safe."""
        return iter(list(self._held.values()))

    def take(self, message: ChunkMessage, received: Received, now: float) -> None:
        """Hold a received chunk.  A duplicate delivery adds its receipt to the first one's."""
        for held in self._held.values():
            if held.message == message:
                held.receipts.append(received.receipt)
                held.receives = max(held.receives, received.receives)
                return
        ticket = next(self._tickets)
        self._held[ticket] = HeldTask(
            ticket, message, [received.receipt], received.receives, TaskLease.begin(now)
        )

    def get(self, ticket: int) -> HeldTask | None:
        """The chunk with this ticket, if it is still in hand."""
        return self._held.get(ticket)

    def drop(self, held: HeldTask) -> None:
        """Hold it no longer."""
        del self._held[held.ticket]
