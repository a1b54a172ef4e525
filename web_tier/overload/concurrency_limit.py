"""Load shedding: requests above a concurrency limit are refused before they consume resources.

On a busy machine, one more request makes all of them slower.  A refused one costs 0.1 ms.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceBusy
from gridwell.program.logs import LogThrottle
from web_tier.overload.fair_shares import FairQueue, FairShares, yielding_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gridwell.engine.ports import Clock

logger = logging.getLogger(__name__)

QUICK_BYTES: Final = 16 * 1024  #: of a body that is read in a millisecond
LARGE_BODY: Final = 1 << 20  #: bytes; only a few larger ones are read together


class Overloaded(ServiceBusy):
    """More requests than can be served in time; nothing was begun."""

    def __init__(self, detail: str, *, code: str = "overloaded") -> None:
        super().__init__(detail)
        self.code = code


class ConcurrencyLimit:
    """Limit of the requests at work; a few more wait for a moment, and the rest are refused.

    Each permit and each waiting request has an owner.  One owner never holds more than its share
    of the permits.  Waiting requests of several owners are admitted in turn, and the owner with the
    most of them makes room for another.

    Args:
        subject: plural clause for the refusal, for example "requests are being submitted".
        clock: measures the time since the last log line.
        places: most permits at a time.
        waiting: most threads that wait for a permit.
        seconds: for which they wait.
        share: most permits of one owner; all of them by default.
        displaces: True if, with no permit left, the owner of the most loses its newest one to
            an owner that holds less.
    """

    def __init__(
        self,
        subject: str,
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
        self._subject = subject
        self._changed = threading.Lock()
        self._held: dict[Permit, None] = {}  #: in the order in which they were taken
        self._shares = FairShares()
        self._waiters: FairQueue[_Waiter] = FairQueue(waiting)
        self._log = LogThrottle()
        self.refusals = 0  #: since the process began
        self.on_leave: Callable[[], None] = lambda: None  #: called after a permit was returned

    @property
    def inside(self) -> int:
        """The number of permits in use."""
        return self._shares.total

    @property
    def is_full(self) -> bool:
        """True if no permit is free."""
        return self._shares.total >= self._places

    @property
    def threads(self) -> int:
        """The most threads that it may hold."""
        return self._places + self._may_wait

    @property
    def _waiting(self) -> int:
        return len(self._waiters)

    @contextmanager
    def admitted(self, owner: str = "") -> Iterator[None]:
        """Hold a permit, or the one that was acquired for this request already.

        Raises:
            Overloaded: if there is none, or none became free in time.
        """
        held = HELD.get()
        with held if held is not None and held.limit is self else self.enter(owner):
            yield

    def try_enter(self, owner: str = "") -> Permit | None:
        """Return a permit, if one is free and the owner has not used up its share."""
        with self._changed:
            return self._taken(owner)

    def enter(self, owner: str = "") -> Permit:
        """Acquire and return a permit.

        Raises:
            Overloaded: as `admitted`.
        """
        displaced: Permit | None = None
        left: _Waiter | None = None
        waiter = _Waiter(owner)
        with self._changed:
            permit = self._taken(owner)
            if permit is None and self._displaces:
                displaced = self._displaced(owner)
                permit = self._taken(owner)
            if permit is None:
                left = self._waiters.put(owner, waiter)
        if displaced is not None:
            displaced.on_displaced()
        if permit is not None:
            return permit
        if left is not None:
            left.over.set()
        if left is not waiter:
            waiter.over.wait(self._seconds)
            with self._changed:
                if waiter.permit is not None:
                    return waiter.permit
                self._waiters.remove(waiter)
        raise self.refusal(owner)

    def leave(self, permit: Permit) -> None:
        """Take a permit back; `Permit.leave` calls it once."""
        with self._changed:
            self._free(permit)
            admitted = self._waiters.take(self._taken)
            if admitted is not None:
                waiter, next_permit = admitted
                waiter.permit = next_permit
                waiter.over.set()
        self.on_leave()

    def refusal(self, owner: str = "") -> Overloaded:
        """Count a refused request and return its error; one log line stands for many."""
        with self._changed:
            self.refusals += 1
            own = self._shares.of(owner)
            refused = self._log.add(1, self._clock.monotonic())
        reason = f"{self._places} {self._subject} already"
        if not self.is_full and own >= self._share:
            reason = f"{own} {self._subject} already for one client"
        if refused:
            logger.warning(
                "requests refused since the last line: %d; %s",
                refused,
                reason,
                extra={"action": "http.shed", "refused": refused},
            )
        return Overloaded(reason)

    def _taken(self, owner: str) -> Permit | None:
        if self.is_full or self._shares.of(owner) >= self._share:
            return None
        permit = Permit(self, owner)
        self._held[permit] = None
        self._shares.take(owner)
        return permit

    def _free(self, permit: Permit) -> None:
        if permit in self._held:  # else it was displaced
            del self._held[permit]
            self._shares.give_back(permit.owner)

    def _displaced(self, owner: str) -> Permit | None:
        """Free and return the newest permit of the owner that holds the most."""
        loser = yielding_owner(self._shares.held, owner) if self.is_full else None
        if loser is None:
            return None
        newest = next(permit for permit in reversed(self._held) if permit.owner == loser)
        self._free(newest)
        return newest


@dataclass(slots=True, eq=False)
class _Waiter:
    """A thread that waits for a permit."""

    owner: str
    over: threading.Event = field(default_factory=threading.Event)
    permit: Permit | None = None


class Permit:
    """One permit of a concurrency limit.

    Args:
        limit: that it is of.
        owner: of the request that holds it.
    """

    def __init__(self, limit: ConcurrencyLimit, owner: str = "") -> None:
        self.limit = limit
        self.owner = owner
        self._left = False
        #: called, by another thread, when the permit goes to another owner
        self.on_displaced: Callable[[], None] = lambda: None

    def __enter__(self) -> None:
        """Do nothing, as it is held already."""

    def __exit__(self, *_: object) -> None:
        """Return it."""
        self.leave()

    def leave(self) -> None:
        """Return it; further calls have no effect."""
        if not self._left:
            self._left = True
            self.limit.leave(self)


#: The permit that the HTTP server acquired for the request that this thread serves.
HELD: ContextVar[Permit | None] = ContextVar("held", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyLimits:
    """Limits of a process.  Together they hold fewer threads than never wait for a job."""

    submits: ConcurrencyLimit
    large_bodies: ConcurrencyLimit
    downloads: ConcurrencyLimit  #: of many atoms, or large maps
    files: ConcurrencyLimit | None = None  #: of fewer atoms and smaller maps; None: without a limit
    readers: ConcurrencyLimit | None = (
        None  #: of bodies that take a while to read; None: without a limit
    )

    @contextmanager
    def submitting(self, length: int | None, owner: str = "") -> Iterator[None]:
        """Hold the permits for reading and validating a job.

        Args:
            length: bytes of its body; None if unknown, as it comes in pieces.
            owner: of the job.

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
        """Hold the permit for reading a body, which is work for the processor alone.

        Args:
            length: as for `submitting`.
            owner: of the body.

        Raises:
            Overloaded: as `ConcurrencyLimit.admitted`.
        """
        long = length is None or length > QUICK_BYTES
        with self.readers.admitted(owner) if self.readers and long else nullcontext():
            yield


def default_limits(clock: Clock) -> ConcurrencyLimits:
    """Return the limits of one process.

    Each has a fourth more permits than one owner may hold; these are for other owners.
    """
    return ConcurrencyLimits(
        # Python computes one at a time; the others wait for AWS meanwhile.  More would only slow
        # down the loop that receives requests, where many may wait without a thread.
        submits=ConcurrencyLimit(
            "requests are being submitted",
            clock=clock,
            places=10,
            share=8,
            waiting=16,
            seconds=2.0,
        ),
        # Each takes half a gigabyte for some seconds; waiting ones are stored on the disk.
        large_bodies=ConcurrencyLimit(
            "large requests are being read", clock=clock, places=1, waiting=15, seconds=20.0
        ),
        # In parallel they would only compete for Python's lock.  Waiting ones have a permit of the
        # submissions already.
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
