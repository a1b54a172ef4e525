"""Whether something that may be away is worth asking."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridwell.domain.ports import Clock


class Outage:
    """After a failure nobody asks for a while, and then one caller alone tries.

    Otherwise a service that hangs would hold up each request of each thread for the whole timeout.

    Args:
        clock: measures how long it has been away.
        seconds: after a failure, until the next try.
    """

    def __init__(self, clock: Clock, *, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._try_at: float | None = None  #: None while it answers

    def may_ask(self) -> bool:
        """Whether to ask now; whoever hears so says afterwards how it went."""
        with self._lock:
            if self._try_at is None:
                return True
            now = self._clock.monotonic()
            if now < self._try_at:
                return False
            self._try_at = now + self._seconds
            return True

    def note_failure(self) -> bool:
        """It failed.  Whether that is news."""
        with self._lock:
            first = self._try_at is None
            self._try_at = self._clock.monotonic() + self._seconds
            return first

    def note_answer(self) -> bool:
        """It answered.  Whether that is news."""
        with self._lock:
            back = self._try_at is not None
            self._try_at = None
            return back
