"""A token bucket: a burst, then a steady rate."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridwell.engine.ports import Clock


class TokenBucket:
    """Allows `burst` calls at once and `per_second` calls in the long run.  Thread-safe.

    Args:
        burst: calls that a full bucket allows.
        per_second: calls by which it refills.
        clock: measures the time between calls.
    """

    def __init__(self, *, burst: int, per_second: float, clock: Clock) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a token, if there is one left."""
        with self._lock:
            now = self._clock.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
            self._at = now
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True
