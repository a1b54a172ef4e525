"""Exponential back-off with jitter.

The time and the random numbers are the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_DOUBLINGS: Final = 64  #: beyond these a delay of a nanosecond would exceed five centuries


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffPolicy:
    """Delays between tries: the first one doubles with each failure in a row.

    Attributes:
        first: seconds after the first failure that is followed by a delay.
        longest: the longest delay in seconds, before jitter.
        jitter: two factors; each delay is multiplied by a random number between them, so that
            clients that failed together do not come back together.
        free: failures in a row that no delay follows.
    """

    first: float
    longest: float
    jitter: tuple[float, float] = (1.0, 1.0)
    free: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.longest < float("inf"):
            raise ValueError(f"delays from {self.first} to {self.longest} s do not rise from 0")
        if not all(0 <= factor < float("inf") for factor in self.jitter):
            raise ValueError(f"jitter {self.jitter} is not two factors from 0 on")
        if self.free < 0:
            raise ValueError(f"free failures {self.free} are fewer than 0")

    def delay(self, failures: int, chance: float = 0.0) -> float:
        """Return the seconds to wait before the next try.

        Args:
            failures: in a row; 0 gives no delay.
            chance: uniform in [0, 1), selects the factor between the two of `jitter`.
        """
        counted = failures - self.free
        if counted <= 0:
            return 0.0
        doubled = self.first * 2.0 ** min(counted - 1, _DOUBLINGS)
        low, high = self.jitter
        return min(self.longest, doubled) * (low + (high - low) * chance)


class Backoff:
    """Failures in a row of one service, and the end of the delay that follows the last.

    Args:
        policy: gives the delays.
    """

    def __init__(self, policy: BackoffPolicy) -> None:
        self._policy = policy
        self._failures = 0
        self._until = float("-inf")

    def failed(self, now: float, chance: float = 0.0) -> None:
        """Begin the delay that follows another failure.

        Args:
            now: seconds by a monotonic clock.
            chance: uniform in [0, 1).
        """
        self._failures += 1
        self._until = now + self._policy.delay(self._failures, chance)

    def succeeded(self) -> None:
        """Forget the failures.  A delay that has begun lasts to its end."""
        self._failures = 0

    def left(self, now: float) -> float:
        """Return the seconds of the delay that remain, or 0."""
        return max(0.0, self._until - now)
