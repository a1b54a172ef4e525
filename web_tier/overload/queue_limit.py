"""Taking no new job that could not be computed before its deadline."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceError
from web_tier.overload.concurrency_limit import Overloaded

if TYPE_CHECKING:
    from gridwell.engine.ports import Clock, Queue

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0  #: between two looks at the queue, whoever asks


class QueueLimit:
    """Refuses new jobs while the chunk queue is too deep.

    A job must end within an hour.  One behind more chunks than the fleet computes in that time
    would be accepted, wait, and fail: saying so at once is kinder, and lets the queue drain.
    The queue's own count is approximate and up to a few seconds old, and so is this limit.

    Args:
        chunks: the chunk queue.
        clock: measures how long ago it was looked at.
        limit: chunks that may wait in it.
    """

    def __init__(self, chunks: Queue, *, clock: Clock, limit: int) -> None:
        self._chunks = chunks
        self._clock = clock
        self._limit = limit
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._visible = 0

    def admit(self) -> None:
        """Return if one more job makes sense.

        Raises:
            Overloaded: if not.
        """
        now = self._clock.monotonic()
        with self._lock:
            looking = now - self._looked_at >= LOOK_SECONDS
            if looking:
                self._looked_at = now  # one looks, the others go by what was seen last
        if looking:
            self._look()
        if self._visible > self._limit:
            raise Overloaded(
                f"{self._visible} chunks are waiting to be computed, more than the {self._limit} "
                "that can be done before a new job's deadline",
                code="backlog",
            )

    def _look(self) -> None:
        try:
            visible = self._chunks.depth().visible
        except ServiceError as error:
            # The queue is only asked how deep it is; whether it takes chunks shows soon enough.
            logger.warning(
                "the backlog cannot be read, so what was seen last counts: %s",
                error,
                extra={"action": "backlog.unread"},
            )
            return
        if (visible > self._limit) != (self._visible > self._limit):
            logger.warning(
                "%s new jobs: %d chunks are waiting, the limit is %d",
                "refusing" if visible > self._limit else "taking",
                visible,
                self._limit,
                extra={"action": "backlog", "visible": visible},
            )
        self._visible = visible
