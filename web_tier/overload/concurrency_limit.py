"""Sending requests away early, while that is cheap, so that the others are served in time.

Past the point where everything is busy, one more request at work makes all of them slower; one
more that is told to come back costs a tenth of a millisecond.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceBusy
from web_tier.overload.fair_shares import FairQueue, FairShares, yielding_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gridwell.engine.ports import Clock

logger = logging.getLogger(__name__)

QUICK_BYTES: Final = 16 * 1024  #: of a body that is read in a millisecond
LARGE_BODY: Final = 1 << 20  #: bytes; only a few larger ones are read together
_TELL_SECONDS: Final = 10.0  #: between two log lines of one gate


class Overloaded(ServiceBusy):
    """There is more to do than can be done in time: nothing was begun."""

    def __init__(self, detail: str, *, code: str = "overloaded") -> None:
        super().__init__(detail)
        self.code = code


class ConcurrencyLimit:
    """Admits a few requests together, lets a few more wait for a moment, and refuses the rest.

    Each place and each request that waits has an owner.  One owner never holds more than its share
    of the places, waiting requests of several owners are admitted in turn, and the owner of most
    waiting ones makes room for another.

    Args:
        what: are at work, as the refusal names them.
        clock: measures how long ago the log was told.
        places: how many work together.
        waiting: how many threads more may wait for a place.
        seconds: how long they do.
        share: how many places one owner may hold; all of them by default.
        displaces: whether, with no place left, the owner of most of them loses its newest one to
            an owner that holds less.
    """

    def __init__(
        self,
        what: str,
        *,
        clock: Clock,
        places: int,
        waiting: int = 0,
        seconds: float = 0.0,
        share: int | None = None,
        displaces: bool = False,
    ) -> None:
        self._clock = clock
        self._places = places
        self._share = places if share is None else share
        self._displaces = displaces
        self._may_wait = waiting
        self._seconds = seconds
        self._what = what
        self._changed = threading.Lock()
        self._held: dict[Permit, None] = {}  #: in the order in which they were taken
        self._shares = FairShares()
        self._waiters: FairQueue[_Waiter] = FairQueue(waiting)
        self._refused = 0
        self.refusals = 0  #: since the process began
        self._told_at = float("-inf")
        self.on_leave: Callable[[], None] = lambda: None  #: called when a place became free

    @property
    def inside(self) -> int:
        """How many are at work."""
        return self._shares.total

    @property
    def is_full(self) -> bool:
        """Return whether no place is free."""
        return self._shares.total >= self._places

    @property
    def threads(self) -> int:
        """How many threads it may hold."""
        return self._places + self._may_wait

    @property
    def _waiting(self) -> int:
        return len(self._waiters)

    @contextmanager
    def admitted(self, owner: str = "") -> Iterator[None]:
        """Hold a place, or the one that was taken for this request already.

        Raises:
            Overloaded: if there is none, or none became free in time.
        """
        held = HELD.get()
        with held if held is not None and held.gate is self else self.enter(owner):
            yield

    def try_enter(self, owner: str = "") -> Permit | None:
        """Return a place, if one is free and the owner has not had its share."""
        with self._changed:
            return self._taken(owner)

    def enter(self, owner: str = "") -> Permit:
        """Return a place.

        Raises:
            Overloaded: as `admitted`.
        """
        displaced: Permit | None = None
        left: _Waiter | None = None
        waiter = _Waiter(owner)
        with self._changed:
            place = self._taken(owner)
            if place is None and self._displaces:
                displaced = self._displaced(owner)
                place = self._taken(owner)
            if place is None:
                left = self._waiters.put(owner, waiter)
        if displaced is not None:
            displaced.on_displaced()
        if place is not None:
            return place
        if left is not None:
            left.over.set()
        if left is not waiter:
            waiter.over.wait(self._seconds)
            with self._changed:
                if waiter.place is not None:
                    return waiter.place
                self._waiters.remove(waiter)
        raise self.refusal(owner)

    def leave(self, place: Permit) -> None:
        """Take a place back; `Permit.leave` calls it once."""
        with self._changed:
            self._free(place)
            admitted = self._waiters.take(self._taken)
            if admitted is not None:
                waiter, next_place = admitted
                waiter.place = next_place
                waiter.over.set()
        self.on_leave()

    def refusal(self, owner: str = "") -> Overloaded:
        """Return the error of a request that is sent away; the log has one line for many."""
        now = self._clock.monotonic()
        with self._changed:
            self._refused += 1
            self.refusals += 1
            refused = self._refused
            own = self._shares.of(owner)
            telling = now - self._told_at >= _TELL_SECONDS
            if telling:
                self._refused, self._told_at = 0, now
        reason = f"{self._places} {self._what} already"
        if not self.is_full and own >= self._share:
            reason = f"{own} {self._what} already for one client"
        if telling:
            logger.warning(
                "requests sent away since this was last told: %d; %s",
                refused,
                reason,
                extra={"action": "http.shed", "refused": refused},
            )
        return Overloaded(reason)

    def _taken(self, owner: str) -> Permit | None:
        if self.is_full or self._shares.of(owner) >= self._share:
            return None
        place = Permit(self, owner)
        self._held[place] = None
        self._shares.take(owner)
        return place

    def _free(self, place: Permit) -> None:
        if place in self._held:  # else it was displaced
            del self._held[place]
            self._shares.give_back(place.owner)

    def _displaced(self, owner: str) -> Permit | None:
        """The newest place of the owner that holds the most, which is free now."""
        loser = yielding_owner(self._shares.held, owner) if self.is_full else None
        if loser is None:
            return None
        newest = next(place for place in reversed(self._held) if place.owner == loser)
        self._free(newest)
        return newest


@dataclass(slots=True, eq=False)
class _Waiter:
    """A thread that waits for a place."""

    owner: str
    over: threading.Event = field(default_factory=threading.Event)
    place: Permit | None = None


class Permit:
    """A place behind a gate, until it is left.

    Args:
        gate: the gate.
        owner: whose place it is.
    """

    def __init__(self, gate: ConcurrencyLimit, owner: str = "") -> None:
        self.gate = gate
        self.owner = owner
        self._left = False
        #: called, by another thread, when the place goes to another owner
        self.on_displaced: Callable[[], None] = lambda: None

    def __enter__(self) -> None:
        """Nothing to do: it is held already."""

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.leave()

    def leave(self) -> None:
        """Give it back; once is enough."""
        if not self._left:
            self._left = True
            self.gate.leave(self)


#: The place that the front took for the request that this thread serves, if it did.
HELD: ContextVar[Permit | None] = ContextVar("held", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyLimits:
    """The gates of a process.  Together they hold fewer threads than never wait for a job."""

    submits: ConcurrencyLimit
    large_bodies: ConcurrencyLimit
    downloads: ConcurrencyLimit  #: of many atoms, or large maps
    files: ConcurrencyLimit | None = None  #: of fewer atoms and smaller maps; None: without a limit
    readers: ConcurrencyLimit | None = (
        None  #: of bodies that take a while to read; None: without a limit
    )

    @contextmanager
    def submitting(self, length: int | None, owner: str = "") -> Iterator[None]:
        """Hold the places that reading and judging a job takes.

        Args:
            length: bytes of its body; None: it comes in pieces, and nobody knows.
            owner: whose job it is.

        Raises:
            Overloaded: as `ConcurrencyLimit.admitted`.
        """
        large = length is None or length > LARGE_BODY
        with (
            self.large_bodies.admitted(owner) if large else nullcontext(),
            self.submits.admitted(owner),
        ):
            yield

    @contextmanager
    def reading(self, length: int | None, owner: str = "") -> Iterator[None]:
        """Hold the place that reading a body takes, which is work for the processor alone.

        Args:
            length: as for `submitting`.
            owner: whose body it is.

        Raises:
            Overloaded: as `ConcurrencyLimit.admitted`.
        """
        long = length is None or length > QUICK_BYTES
        with self.readers.admitted(owner) if self.readers and long else nullcontext():
            yield


def usual_gates(clock: Clock) -> ConcurrencyLimits:
    """The gates, as wide as one process can bear.

    Each has a fourth more places than one owner may hold: those are for all others.
    """
    return ConcurrencyLimits(
        # Python computes one at a time; the others wait for AWS meanwhile.  More would only slow
        # down the front, where many may wait without a thread.
        submits=ConcurrencyLimit(
            "requests are being submitted",
            clock=clock,
            places=10,
            share=8,
            waiting=16,
            seconds=2.0,
        ),
        # Each takes half a gigabyte for some seconds; those that wait lie on the disk.
        large_bodies=ConcurrencyLimit(
            "large requests are being read", clock=clock, places=1, waiting=15, seconds=20.0
        ),
        # Read side by side they would only take Python's lock from each other, and from everybody
        # else.  Those that wait have a place among the submissions already.
        readers=ConcurrencyLimit(
            "bodies are being read", clock=clock, places=2, share=1, waiting=16, seconds=10.0
        ),
        # Each takes up to two hundred megabytes, for as long as its client reads.
        downloads=ConcurrencyLimit(
            "large downloads are going on", clock=clock, places=10, share=8, displaces=True
        ),
        # Writing one is work for the processor, and its client may read slowly.
        files=ConcurrencyLimit(
            "downloads are going on",
            clock=clock,
            places=24,
            share=18,
            waiting=16,
            seconds=5.0,
            displaces=True,
        ),
    )
