"""When a program that has ended by itself is started again.  Pure: time is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Whoever lives for so long has not died of its settings.
LONG_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0
#: A few may be bad luck: they cost no pause.
_FREE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One start of a program."""

    began: float
    short_ones: int = 0  #: short lives in a row before this one

    def after(self, now: float) -> tuple[float, Life]:
        """The pause before the next start, in seconds, and the life that begins then."""
        short = 0 if now - self.began >= LONG_SECONDS else self.short_ones + 1
        pause = 0.0
        if short > _FREE:
            doubled = _FIRST_PAUSE_SECONDS * 2.0 ** min(short - _FREE - 1, 10)
            pause = min(_LONGEST_PAUSE_SECONDS, doubled)
        return pause, Life(began=now + pause, short_ones=short)
