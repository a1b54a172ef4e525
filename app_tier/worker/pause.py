"""How long to leave a service alone that did not answer.  Pure: time and chance are passed in."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 30.0


class Backoff:
    """Grows with each failure in a row, and ends with the first success."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = float("-inf")

    def failed(self, now: float, chance: float) -> None:
        """Pause for 1, 2, 4 … seconds, at most half a minute, a random half of them less.

        Args:
            now: the time.
            chance: uniform in [0, 1): a fleet must not come back in step.
        """
        longest = min(_LONGEST, 2.0**self._failures)
        self._until = now + longest * (0.5 + 0.5 * chance)
        self._failures = min(self._failures + 1, 10)

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures = 0

    def left(self, now: float) -> float:
        """Seconds of the pause that are left, or 0."""
        return max(0.0, self._until - now)
