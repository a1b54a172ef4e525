"""A clock that a test turns by hand."""

from __future__ import annotations


class ManualClock:
    """Time that moves only when somebody sleeps or advances it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """See `gridwell.domain.ports.Clock`."""
        return self._now

    def monotonic(self) -> float:
        """See `gridwell.domain.ports.Clock`."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move time on: the sleeper wakes at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move time on.

        Raises:
            ValueError: if it would run backwards.
        """
        if seconds < 0:
            raise ValueError(f"time cannot go back by {seconds} seconds")
        self._now += seconds
