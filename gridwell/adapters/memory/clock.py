"""A clock that a test turns by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridwell.engine.ports import Clock


class ManualClock:
    """Time that moves only when somebody sleeps or advances it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """See `gridwell.engine.ports.Clock`."""
        return self._now

    def monotonic(self) -> float:
        """See `gridwell.engine.ports.Clock`."""
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


class WrongClock:
    """The clock of a machine whose wall clock is wrong, and may be set at any moment.

    Args:
        right: whose time passes for it too.
        ahead: seconds by which its wall clock is ahead; less than 0: behind.
    """

    def __init__(self, right: Clock, *, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self._right = right

    def now(self) -> float:
        """See `gridwell.engine.ports.Clock`."""
        return self._right.now() + self.ahead

    def monotonic(self) -> float:
        """See `gridwell.engine.ports.Clock`; no step of the wall clock shows in it."""
        return self._right.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `gridwell.engine.ports.Clock`."""
        self._right.sleep(seconds)
