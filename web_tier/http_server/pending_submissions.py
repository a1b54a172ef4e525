"""Submissions that were received whole and wait for a permit, without a thread."""

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
    """Queue of the submissions for one concurrency limit, of their owners in turn.

    Args:
        limit: gives permits.
        most: number that may wait.
        seconds: for which each may wait.
    """

    def __init__(self, limit: ConcurrencyLimit, *, most: int, seconds: float) -> None:
        self.limit = limit
        self._queue: FairQueue[Queued] = FairQueue(most)
        self._seconds = seconds

    def __iter__(self) -> Iterator[Queued]:
        """Iterate over the waiting submissions."""
        return (queued for _, queued in self._queue)

    def put(self, conn: TConn, arrival: RequestBuffer, owner: str, now: float) -> Queued | None:
        """Let a submission wait, and return the one that it displaces, if any."""
        return self._queue.put(owner, Queued(conn, arrival, owner, now + self._seconds))

    def admitted(self) -> Iterator[tuple[Queued, Permit]]:
        """Remove and yield the submissions for which there is a permit, each with it."""
        while self._queue and not self.limit.is_full:
            taken = self._queue.take(self.limit.try_enter)
            if taken is None:
                return
            yield taken

    def expired(self, now: float) -> list[Queued]:
        """Remove and return the submissions whose time to wait is over."""
        return self._queue.remove_while(lambda queued: queued.deadline <= now)

    def remove(self, queued: Queued) -> None:
        """Remove a submission."""
        self._queue.remove(queued)
