"""When a chunk's lease is extended, and when the chunk is given up.  Pure: time is passed in."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Final

LEASE_SECONDS: Final = 60.0  #: the queue's visibility timeout, and what an extension gives
HARD_LIMIT_SECONDS: Final = 600.0  #: no chunk is held longer: it is made to last some seconds
_RENEW_BELOW: Final = 30.0  #: seconds left at which to extend: several tries fit in


class Renewal(enum.Enum):
    """What to do about a lease now."""

    KEEP = "keep"
    EXTEND = "extend"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLease:
    """A chunk's lease.  Times by the monotonic clock.

    It is extended only when the chunk moved since the last extension: a worker that hangs must
    lose its chunk to another.
    """

    since: float  #: when the chunk was received
    ends: float
    moves: int = 0  #: what the chunk's progress counter showed at the last extension

    @classmethod
    def begin(cls, now: float) -> TaskLease:
        """The lease of a message received at `now`."""
        return cls(since=now, ends=now + LEASE_SECONDS)

    def renewal(self, now: float, moves: int | None) -> Renewal:
        """What to do.

        Args:
            now: the time.
            moves: the chunk's progress counter; None: it does not compute (it waits for its turn,
                or its result waits to be sent), which is no sign of hanging.
        """
        if self.too_long(now) or now >= self.ends:
            return Renewal.GIVE_UP
        if self.ends - now > _RENEW_BELOW:
            return Renewal.KEEP
        return Renewal.EXTEND if moves is None or moves > self.moves else Renewal.KEEP

    def too_long(self, now: float) -> bool:
        """Whether the chunk has been held for as long as any may be."""
        return now - self.since >= HARD_LIMIT_SECONDS

    def extended(self, now: float, moves: int | None) -> TaskLease:
        """The lease after an extension that the queue accepted at `now`."""
        return replace(self, ends=now + LEASE_SECONDS, moves=self.moves if moves is None else moves)


def backoff(receives: int, chance: float) -> float:
    """Seconds before a message that could not be handled is tried again: 2, 4, 8 … at most 60.

    Args:
        receives: how often it has been received.
        chance: uniform in [0, 1): up to a quarter more or less, as a job's chunks fail together.
    """
    return min(LEASE_SECONDS, 2.0 ** min(receives, 10)) * (0.75 + 0.5 * chance)
