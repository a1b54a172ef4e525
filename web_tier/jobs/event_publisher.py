"""Publishing what happens to jobs, without ever delaying or failing one.

Events wait in memory for a thread of their own.  If the topic is away, or slower than the events
come, the oldest wait and the newest are dropped: who must not miss an end reads the job itself.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from typing import TYPE_CHECKING, Final, TypeVar

from gridwell.engine.errors import ServiceError
from gridwell.engine.job_events import EventKind
from gridwell.engine.kind import NO_KINDS
from gridwell.engine.lru_cache import LruCache
from gridwell.program.logs import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.job_events import JobEvent, Notice
    from gridwell.engine.kind import Kinds
    from gridwell.engine.ports import Clock, Topic

_T = TypeVar("_T")
logger = logging.getLogger(__name__)

WAITING_MOST: Final = 1000  #: a kilobyte each
PROGRESS_SECONDS: Final = 1.0  #: between two messages of progress of a job
_BATCH: Final = 10  #: messages in one call

_REMEMBERED: Final = 1000  #: jobs whose last message of progress is remembered
_NAP_SECONDS: Final = 10.0
_CLOSING_SECONDS: Final = 2.0  #: for what still waits when the process ends


def both(first: Callable[[_T], None], second: Callable[[_T], None]) -> Callable[[_T], None]:
    """Return a function that calls two with each event."""

    def tell(event: _T) -> None:
        first(event)
        second(event)

    return tell


class Publisher:
    """Hands events to a topic.

    Args:
        topic: takes them; None: nobody does, and nothing is kept.
        clock: measures.
        most: events that may wait.
        kinds: say what is particular to their jobs; messages about others leave that out.
    """

    def __init__(
        self,
        topic: Topic | None,
        *,
        clock: Clock,
        most: int = WAITING_MOST,
        kinds: Kinds = NO_KINDS,
    ) -> None:
        self._topic = topic
        self._kinds = kinds
        self._clock = clock
        self._waiting: queue.Queue[Notice | None] = queue.Queue(most)  #: None only wakes
        self._lock = threading.Lock()
        self._progress: LruCache[str, float] = LruCache(_REMEMBERED)
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._log = LogThrottle()
        self.dropped = 0  #: events that nobody will hear of

    def tell(self, event: JobEvent) -> None:
        """Publish an event soon; returns at once, and never raises."""
        if self._topic is None:
            return
        if event.kind is EventKind.PROGRESS and self._too_soon(event.job.id):
            return
        try:
            self._waiting.put_nowait(self._notice(event))
        except queue.Full:
            self._drop(1, f"{self._waiting.maxsize} events wait already")
            return
        self._ensure_thread()

    def step(self, wait: float = 0.0) -> bool:
        """Publish what waits, a batch of it.

        Args:
            wait: seconds, for the first event.

        Returns:
            Whether there was any.
        """
        taken: list[Notice | None] = []
        with contextlib.suppress(queue.Empty):
            taken.append(self._waiting.get(timeout=wait) if wait else self._waiting.get_nowait())
            while len(taken) < _BATCH:
                taken.append(self._waiting.get_nowait())
        batch = [notice for notice in taken if notice is not None]
        if not batch or self._topic is None:
            return False
        try:
            self._topic.publish(batch)
        except ServiceError as error:
            # No second try of ours: the client has tried, and what is new matters more.
            self._drop(len(batch), str(error))
        except Exception as error:
            logger.exception("publishing failed unforeseen", extra={"action": "events.broken"})
            self._drop(len(batch), repr(error))
        return True

    def close(self) -> None:
        """Publish what waits, for a moment, and end the thread."""
        self._closed.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(None)
            thread.join(_CLOSING_SECONDS)
        if left := self._waiting.qsize():
            self._drop(left, "the process ends")

    def _notice(self, event: JobEvent) -> Notice:
        kind = self._kinds.get(event.job.kind)
        return event.notice() if kind is None else event.notice(kind.facts(event.job))

    def _too_soon(self, job: str) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            last = self._progress.peek(job)
            if last is not None and now - last < PROGRESS_SECONDS:
                return True
            self._progress.put(job, now)
        return False

    def _drop(self, count: int, reason: str) -> None:
        with self._lock:
            self.dropped += count
            dropped = self._log.add(count, self._clock.monotonic())
        if dropped:
            logger.warning(
                "job events dropped since the last line: %d; %s",
                dropped,
                reason,
                extra={"action": "events.dropped", "dropped": dropped},
            )

    def _ensure_thread(self) -> None:
        """Start the thread with the first event: one started before a fork would not be there."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closed.is_set():
            self.step(wait=_NAP_SECONDS)
        while self.step():
            pass
