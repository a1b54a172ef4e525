"""Delay before a program that has ended by itself is started again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gridwell.engine.backoff import BackoffPolicy

#: A program that ran this long is not failing because of its settings.
LONG_SECONDS: Final = 10.0
_DELAYS: Final = BackoffPolicy(first=0.5, longest=10.0, free=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One start of a program."""

    began: float
    short_ones: int = 0  #: short lives in a row before this one

    def after(self, now: float) -> tuple[float, Life]:
        """Return the delay before the next start, in seconds, and the life that begins then.

        Args:
            now: when the program ended, in seconds by the clock of `began`.
        """
        short = 0 if now - self.began >= LONG_SECONDS else self.short_ones + 1
        delay = _DELAYS.delay(short)
        return delay, Life(began=now + delay, short_ones=short)
