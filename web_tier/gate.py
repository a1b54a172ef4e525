"""Sending requests away early, while that is cheap, so that the others are served in time.

Past the point where everything is busy, one more request at work makes all of them slower; one
more that is told to come back costs a tenth of a millisecond.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.domain.errors import ServiceBusy
from web_tier.door.arrival import LARGE_BODY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        waiting: how many threads more may wait for a place.
        seconds: how long they do.
    """

    def __init__(
        self, what: str, *, clock: Clock, places: int, waiting: int = 0, seconds: float = 0.0
    ) -> None:
        self._clock = clock
        self._places = places
        self._may_wait = waiting
        self._seconds = seconds
        self._reason = f"{places} {what} already"
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting = 0
        self._refused = 0
        self.refusals = 0  #: since the process began
        self._told_at = float("-inf")
        self.on_leave: Callable[[], None] = lambda: None  #: called when a place became free

    @property
    def inside(self) -> int:
        """How many are at work."""
        return self._inside

    @property
    def threads(self) -> int:
        """How many threads it may hold."""
        return self._places + self._may_wait

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place, or the one that the door took for this request already.

        Raises:
            Overloaded: if there is none, or none became free in time.
        """
        held = HELD.get()
        with held if held is not None and held.gate is self else self.enter():
            yield

    def try_enter(self) -> Place | None:
        """A place, if one is free."""
        with self._changed:
            if self._inside >= self._places:
                return None
            self._inside += 1
            return Place(self)

    def enter(self) -> Place:
        """A place.

        Raises:
            Overloaded: as `admitted`.
        """
        with self._changed:
            if self._inside >= self._places and self._waiting < self._may_wait:
                self._waiting += 1
                self._changed.wait_for(lambda: self._inside < self._places, self._seconds)
                self._waiting -= 1
            if self._inside < self._places:
                self._inside += 1
                return Place(self)
        raise self.refusal()

    def leave(self) -> None:
        """Give a place back; `Place.leave` does so once."""
        with self._changed:
            self._inside -= 1
            self._changed.notify()
        self.on_leave()

    def refusal(self) -> Overloaded:
        """What whoever is sent away hears; the log hears of many together."""
        now = self._clock.monotonic()
        with self._changed:
            self._refused += 1
            self.refusals += 1
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


class Place:
    """A place behind a gate, until it is left."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._left = False

    def __enter__(self) -> None:
        """Nothing to do: it is held already."""

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.leave()

    def leave(self) -> None:
        """Give it back; once is enough."""
        if not self._left:
            self._left = True
            self.gate.leave()


#: The place that the door took for the request that this thread serves, if it did.
HELD: ContextVar[Place | None] = ContextVar("held", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The gates of a process.  Together they hold fewer threads than never wait for a job."""

    submits: Gate
    large_bodies: Gate
    downloads: Gate  #: of many atoms, or large maps

    @contextmanager
    def submitting(self, length: int | None) -> Iterator[None]:
        """Hold the places that reading and judging a job takes.

        Args:
            length: bytes of its body; None: it comes in pieces, and nobody knows.

        Raises:
            Overloaded: as `Gate.admitted`.
        """
        large = length is None or length > LARGE_BODY
        with self.large_bodies.admitted() if large else nullcontext(), self.submits.admitted():
            yield


def usual_gates(clock: Clock) -> Gates:
    """The gates, as wide as one process can bear."""
    return Gates(
        # Python computes one at a time; the others wait for AWS meanwhile.  More would only slow
        # down the door, where many may wait without a thread.
        submits=Gate(
            "requests are being submitted", clock=clock, places=8, waiting=16, seconds=2.0
        ),
        # Each takes half a gigabyte for some seconds; those that wait lie on the disk.
        large_bodies=Gate(
            "large requests are being read", clock=clock, places=1, waiting=15, seconds=20.0
        ),
        # Each takes up to two hundred megabytes, for as long as its client reads.
        downloads=Gate("large downloads are going on", clock=clock, places=8),
    )
