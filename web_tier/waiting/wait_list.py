"""Waiting requests and the decisions to wake them, without I/O or clock.

A request waits for the end of its job, or follows each step on the way there.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from web_tier.jobs.cached_jobs import (
    Progress,
    decode_final,
    decode_progress,
    final_key,
    progress_key,
    progress_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gridwell.engine.job import Job

ROUND_SECONDS: Final = 1.0  #: at most one read of the ledger in so long, whoever waits
ROUND_JOBS: Final = 100  #: what one BatchGetItem takes
READ_SECONDS: Final = 5.0  #: each awaited job is read at least so often, whatever the cache says


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter:
    """One waiting request."""

    job: str
    attempt: str  #: the attempt that the ledger last showed; values of another one are misses
    read_at: float  #: when the ledger last showed it
    owner: str = ""  #: of the request
    follows: bool = False  #: True if progress wakes it, too
    series: bool = False  #: whether the steps of its job show in the ledger alone
    event: threading.Event = field(default_factory=threading.Event)
    ended: bool = False  #: True if the attempt has, or may have, ended
    displaced: bool = False  #: True if its place went to another owner
    latest: Progress | None = None  #: the attempt's latest known progress
    known: bool = False  #: True if the cache had its progress at the last look
    progress: bytes | None = None  #: the last progress looked at, so that it is decoded once

    def end(self) -> None:
        """Wake it: its attempt has, or may have, ended."""
        self.ended = True
        self.event.set()

    def displace(self) -> None:
        """Wake it: another owner has its place now."""
        self.displaced = True
        self.event.set()

    def move(self, progress: Progress) -> None:
        """Note how far its attempt has come; a follower is woken if that is further."""
        latest = progress if self.latest is None else self.latest.joined(progress)
        if latest == self.latest:
            return
        self.latest = latest
        if self.follows:
            self.event.set()


class WaitList:
    """The requests that wait, and what is known of their jobs."""

    def __init__(self) -> None:
        self._waiters: set[Waiter] = set()
        self._round_at = float("-inf")

    def __len__(self) -> int:
        return len(self._waiters)

    def __contains__(self, waiter: Waiter) -> bool:
        return waiter in self._waiters

    def add(self, waiter: Waiter) -> None:
        """Let a request wait."""
        self._waiters.add(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Forget a request, woken or not."""
        self._waiters.discard(waiter)

    def keys(self) -> list[str]:
        """Return the cache keys to ask for, each once, the final ones first."""
        jobs = sorted({waiter.job for waiter in self._sleeping()})
        return [final_key(job) for job in jobs] + [progress_key(job) for job in jobs]

    def look(self, values: Mapping[str, bytes]) -> None:
        """Wake the requests whose job has ended, by the cached values."""
        for waiter in self._sleeping():
            data = values.get(final_key(waiter.job))
            final = None if data is None else decode_final(data, waiter.job)
            if final is not None and final.attempt == waiter.attempt:
                waiter.end()
                continue
            waiter.known = self._is_running(waiter, values.get(progress_key(waiter.job)))

    def due(self, now: float) -> list[str]:
        """Return the jobs to read from the ledger now, the longest unread first.

        Those of which the cache knows nothing, series that are followed, and those not read for
        `READ_SECONDS`; none before `ROUND_SECONDS` have passed since the last that were.
        """
        if now - self._round_at < ROUND_SECONDS:
            return []
        oldest: dict[str, float] = {}
        for waiter in self._sleeping():
            unread = now - waiter.read_at
            soon = not waiter.known or (waiter.series and waiter.follows)
            if unread >= (ROUND_SECONDS if soon else READ_SECONDS):
                oldest[waiter.job] = min(waiter.read_at, oldest.get(waiter.job, waiter.read_at))
        if oldest:
            self._round_at = now
        return sorted(oldest, key=lambda job: (oldest[job], job))[:ROUND_JOBS]

    def learn(self, asked: Sequence[str], found: Mapping[str, Job], now: float) -> None:
        """Wake the requests whose attempt has ended, by the ledger's jobs."""
        jobs = set(asked)
        for waiter in self._sleeping():
            if waiter.job not in jobs:
                continue
            waiter.read_at = now
            job = found.get(waiter.job)
            if job is None or job.attempt != waiter.attempt or job.state.terminal:
                waiter.end()
            elif waiter.follows:
                waiter.move(progress_of(job))

    def wake_all(self) -> None:
        """Wake all requests, as the process is about to end."""
        for waiter in self._waiters:
            waiter.end()

    def _sleeping(self) -> list[Waiter]:
        return [waiter for waiter in self._waiters if not waiter.ended]

    @staticmethod
    def _is_running(waiter: Waiter, data: bytes | None) -> bool:
        """Return True if a cached progress is of the awaited attempt."""
        if data == waiter.progress:
            return waiter.known
        waiter.progress = data
        progress = None if data is None else decode_progress(data, waiter.job)
        if progress is None or progress.attempt != waiter.attempt:
            return False
        waiter.move(progress)
        return True
