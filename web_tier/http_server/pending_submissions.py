"""Submissions that were received whole and wait for their place, without a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from web_tier.overload.fair_shares import FairQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gunicorn.workers.gthread import TConn

    from web_tier.http_server.request_buffer import RequestBuffer
    from web_tier.overload.concurrency_limit import ConcurrencyLimit, Permit


@dataclass(frozen=True, slots=True, eq=False)
class Queued:
    """A submission that waits."""

    conn: TConn
    arrival: RequestBuffer
    owner: str
    deadline: float


class PendingSubmissions:
    """Those that wait before one gate, of their owners in turn.

    Args:
        gate: gives places.
        most: how many wait.
        seconds: how long they do.
    """

    def __init__(self, gate: ConcurrencyLimit, *, most: int, seconds: float) -> None:
        self.gate = gate
        self._queue: FairQueue[Queued] = FairQueue(most)
        self._seconds = seconds

    def __iter__(self) -> Iterator[Queued]:
        """Iterate over those that wait."""
        return (queued for _, queued in self._queue)

    def put(self, conn: TConn, arrival: RequestBuffer, owner: str, now: float) -> Queued | None:
        """Let a submission wait, and return the one that has to leave for it, if any."""
        return self._queue.put(owner, Queued(conn, arrival, owner, now + self._seconds))

    def admitted(self) -> Iterator[tuple[Queued, Permit]]:
        """Iterate over those for which there is a place now; they wait no longer."""
        while self._queue and not self.gate.is_full:
            taken = self._queue.take(self.gate.try_enter)
            if taken is None:
                return
            yield taken

    def expired(self, now: float) -> list[Queued]:
        """Remove those that have waited long enough, and return them."""
        return self._queue.remove_while(lambda queued: queued.deadline <= now)

    def remove(self, queued: Queued) -> None:
        """Remove one."""
        self._queue.remove(queued)
