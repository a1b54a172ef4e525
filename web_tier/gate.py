"""Sending requests away early, while that is cheap, so that the others are served in time.

Past the point where everything is busy, one more request at work makes all of them slower; one
more that is told to come back costs a tenth of a millisecond.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.domain.errors import ServiceBusy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.domain.ports import Clock

logger = logging.getLogger(__name__)

_TELL_SECONDS: Final = 10.0  #: between two log lines of one gate


class Overloaded(ServiceBusy):
    """There is more to do than can be done in time: nothing was begun."""

    def __init__(self, detail: str, *, code: str = "overloaded") -> None:
        super().__init__(detail)
        self.code = code


class Gate:
    """Lets a few in together, lets a few more wait for a moment, and sends the rest away.

    Args:
        what: are at work, as the refusal names them.
        clock: measures how long ago the log was told.
        places: how many work together.
        waiting: how many more may wait for a place.
        seconds: how long they do.
    """

    def __init__(
        self, what: str, *, clock: Clock, places: int, waiting: int = 0, seconds: float = 0.0
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most = places + waiting
        self._reason = f"{self._most} {what} already"
        self._lock = threading.Lock()
        self._inside = 0
        self._places = threading.BoundedSemaphore(places)
        self._refused = 0
        self._told_at = float("-inf")

    @property
    def is_full(self) -> bool:
        """Whether whoever comes now is sent away."""
        return self._inside >= self._most

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Overloaded: if there is none, or none became free in time.
        """
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """Take a place, for `leave` to give back.

        Raises:
            Overloaded: as `admitted`.
        """
        with self._lock:
            full = self.is_full
            self._inside += not full
        if full:
            raise self.refusal()
        if not self._places.acquire(timeout=self._seconds):
            with self._lock:
                self._inside -= 1
            raise self.refusal()

    def leave(self) -> None:
        """Give a place back."""
        self._places.release()
        with self._lock:
            self._inside -= 1

    def refusal(self) -> Overloaded:
        """What whoever is sent away hears; the log hears of many together."""
        now = self._clock.monotonic()
        with self._lock:
            self._refused += 1
            refused = self._refused
            telling = now - self._told_at >= _TELL_SECONDS
            if telling:
                self._refused, self._told_at = 0, now
        if telling:
            logger.warning(
                "requests sent away since this was last told: %d; %s",
                refused,
                self._reason,
                extra={"action": "http.shed", "refused": refused},
            )
        return Overloaded(self._reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The gates of a process.  Together they hold fewer threads than never wait for a job."""

    submits: Gate
    large_bodies: Gate
    downloads: Gate  #: of many atoms


def usual_gates(clock: Clock) -> Gates:
    """The gates, as wide as one process can bear."""
    return Gates(
        # Python computes one at a time; the others wait for AWS meanwhile.
        submits=Gate(
            "requests are being submitted", clock=clock, places=16, waiting=48, seconds=2.0
        ),
        # Each takes half a gigabyte for some seconds; those that wait lie on the disk.
        large_bodies=Gate(
            "large requests are being read", clock=clock, places=1, waiting=15, seconds=20.0
        ),
        # Each takes up to two hundred megabytes, for as long as its client reads.
        downloads=Gate("large downloads are going on", clock=clock, places=8),
    )
