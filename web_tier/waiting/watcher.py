"""Watcher: one thread per process that wakes all waiting requests.

It reads memcached once a tick and the ledger once a second, for any number of requests.  Without
memcached the service is slower and never wrong.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, Protocol

from gridwell.engine.errors import ServiceError
from gridwell.engine.kind import NO_KINDS
from gridwell.engine.read_jobs import readable_jobs
from web_tier.jobs.reported_progress import reports_progress, with_progress
from web_tier.jobs.sealed_cache import sealed
from web_tier.jobs.signer import Signer
from web_tier.overload.fair_shares import FairShares, yielding_owner
from web_tier.waiting.wait_list import Waiter, WaitList

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.job import Job
    from gridwell.engine.kind import Kinds
    from gridwell.engine.ports import Cache, Clock, JobLedger

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.025


class Watcher:
    """The requests that wait for their jobs.

    If no place is left, the owner of the most loses its newest one to an owner of fewer.  A wait
    then ends early, and a stream ends, which its client opens again.

    Args:
        cache: shows the ends of jobs first.
        ledger: shows them for certain.
        clock: measures the time since the ledger was read.
        capacity: most requests that wait together, so that threads are left for the others.
        streams: most requests that follow a job together.
        kinds: kinds of work that report progress; progress of others is not shown.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        ledger: JobLedger,
        clock: Clock,
        capacity: int,
        streams: int = 0,
        kinds: Kinds = NO_KINDS,
    ) -> None:
        self._kinds = kinds
        self._cache = sealed(cache, Signer(ledger))
        self._ledger = ledger
        self._clock = clock
        self._capacity = {False: capacity, True: streams}
        self._used = {False: FairShares(), True: FairShares()}
        self._entered: dict[Waiter, None] = {}  #: in the order in which they came
        self._watch = WaitList()
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """The number of requests that wait for an end."""
        return self._used[False].total

    @property
    def streaming(self) -> int:
        """The number of requests that follow a job."""
        return self._used[True].total

    def wait(self, job: Job, seconds: float, owner: str = "") -> bool:
        """Wait until the job's attempt has, or may have, ended, for up to `seconds`.

        A wake-up carries no data: read the job afterwards.

        Returns:
            False, at once, if there is no room to wait or the process is about to end.  False also
            as soon as another owner, who has less, needs the room.
        """
        waiter = self._enter(job, owner, follows=False)
        if waiter is None:
            return False
        try:
            waiter.event.wait(seconds)
        finally:
            self.leave(waiter)
        return not waiter.displaced

    def follow(self, job: Job, owner: str = "") -> Waiter | None:
        """Follow a job's attempt: each step wakes the waiter, which then has the latest progress.

        After each wake-up the caller clears the event before it reads the waiter.  It calls `leave`
        in the end.

        Returns:
            None, at once, if there is no room to follow or the process is about to end.
        """
        return self._enter(job, owner, follows=True)

    def leave(self, waiter: Waiter) -> None:
        """End a wait or a stream; further calls have no effect."""
        with self._changed:
            self._remove(waiter)

    def _remove(self, waiter: Waiter) -> None:
        if waiter in self._entered:
            del self._entered[waiter]
            self._used[waiter.follows].give_back(waiter.owner)
            self._watch.remove(waiter)

    def _enter(self, job: Job, owner: str, *, follows: bool) -> Waiter | None:
        waiter = Waiter(
            job=job.id,
            attempt=job.attempt,
            read_at=self._clock.monotonic(),
            owner=owner,
            follows=follows,
            series=reports_progress(job, self._kinds),
        )
        with self._changed:
            if self._closed.is_set() or not self._has_room(owner, follows=follows):
                return None
            self._used[follows].take(owner)
            self._entered[waiter] = None
            self._watch.add(waiter)
            self._ensure_thread()
            self._changed.notify()
        return waiter

    def _has_room(self, owner: str, *, follows: bool) -> bool:
        used, capacity = self._used[follows], self._capacity[follows]
        if used.total < capacity:
            return True
        loser = yielding_owner(used.held, owner)
        if loser is None:
            return False
        newest = next(
            waiter
            for waiter in reversed(self._entered)
            if (waiter.owner, waiter.follows) == (loser, follows)
        )
        self._remove(newest)
        newest.displace()
        return True

    def close(self) -> None:
        """Wake all requests, refuse further ones, and end the thread."""
        self._closed.set()
        with self._changed:
            self._watch.wake_all()
            self._changed.notify()

    def step(self) -> None:
        """Read the cache, and the ledger once a second; never while holding the lock."""
        with self._changed:
            keys = self._watch.keys()
        values = self._cache.get_many(keys) if keys else {}
        now = self._clock.monotonic()
        with self._changed:
            self._watch.look(values)
            asked = self._watch.due(now)
        if not asked:
            return
        try:
            found, unreadable = readable_jobs(self._ledger, asked)
            shown = with_progress(self._ledger, found.values(), self._kinds)
            found = {job.id: job for job in shown}
        except ServiceError as error:
            logger.warning(
                "%d awaited jobs cannot be read, trying again in a second: %s",
                len(asked),
                error,
                extra={"action": "watch.unread"},
            )
            return
        with self._changed:
            # Requests for a job that this release cannot read go on waiting for its end.
            self._watch.learn([job for job in asked if job not in unreadable], found, now)

    def _ensure_thread(self) -> None:
        """Start the thread at the first wait, as a fork would end one that was started before."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(TICK_SECONDS):
            with self._changed:
                while not len(self._watch) and not self._closed.is_set():
                    self._changed.wait()
            self.step()


class OwnedWatcher:
    """A watcher for the requests of one owner.

    Args:
        watcher: of the process.
        owner: of the requests.
    """

    def __init__(self, watcher: Watcher, owner: str) -> None:
        self._watcher = watcher
        self._owner = owner
        self.leave = watcher.leave

    def wait(self, job: Job, seconds: float) -> bool:
        """Wait for a job as `Watcher.wait` does."""
        return self._watcher.wait(job, seconds, self._owner)

    def follow(self, job: Job) -> Waiter | None:
        """Follow a job as `Watcher.follow` does."""
        return self._watcher.follow(job, self._owner)


class Waits(Protocol):
    """A watcher, as `await_end` uses it."""

    def wait(self, job: Job, seconds: float) -> bool:
        """Wait for a job as `Watcher.wait` does."""


def await_end(
    job: Job, seconds: float, *, watcher: Waits, clock: Clock, read: Callable[[str], Job | None]
) -> tuple[Job, bool]:
    """Wait until a job has ended, for up to `seconds`.

    Args:
        job: as last read.
        seconds: the longest wait.
        watcher: waits.
        clock: measures the time.
        read: reads the job by its id.

    Returns:
        The job as last read, and True if it ended or the time is up; False if there was no room.
    """
    deadline = clock.monotonic() + seconds
    while not job.state.terminal:
        left = deadline - clock.monotonic()
        if left <= 0:
            break
        if not watcher.wait(job, left):
            return job, False
        latest = read(job.id)
        if latest is None:  # it expired meanwhile: return its last state
            break
        job = latest
    return job, True
