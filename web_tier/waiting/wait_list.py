"""Which waiting requests to wake: the decisions of `waiting.watcher`, without I/O or clock.

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
    owner: str = ""  #: who waits
    follows: bool = False  #: whether it is woken by progress, too
    series: bool = False  #: whether the steps of its job show in the ledger alone
    event: threading.Event = field(default_factory=threading.Event)
    ended: bool = False  #: whether the attempt has, or may have, ended
    displaced: bool = False  #: whether its place went to another owner
    latest: Progress | None = None  #: how far the attempt is known to have come
    known: bool = False  #: whether the cache had something to say about it when last asked
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
        self._tickets: set[Waiter] = set()
        self._round_at = float("-inf")

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, ticket: Waiter) -> bool:
        return ticket in self._tickets

    def add(self, ticket: Waiter) -> None:
        """Let a request wait."""
        self._tickets.add(ticket)

    def remove(self, ticket: Waiter) -> None:
        """Forget a request, woken or not."""
        self._tickets.discard(ticket)

    def keys(self) -> list[str]:
        """The cache keys to ask for, each once, the final ones first."""
        jobs = sorted({ticket.job for ticket in self._sleeping()})
        return [final_key(job) for job in jobs] + [progress_key(job) for job in jobs]

    def look(self, values: Mapping[str, bytes]) -> None:
        """Wake the requests whose job has ended, by what the cache answered."""
        for ticket in self._sleeping():
            data = values.get(final_key(ticket.job))
            final = None if data is None else decode_final(data, ticket.job)
            if final is not None and final.attempt == ticket.attempt:
                ticket.end()
                continue
            ticket.known = self._is_running(ticket, values.get(progress_key(ticket.job)))

    def due(self, now: float) -> list[str]:
        """The jobs to read from the ledger now, the longest unread first.

        Those of which the cache knows nothing, series that are followed, and those not read for
        `READ_SECONDS`; none before `ROUND_SECONDS` have passed since the last that were.
        """
        if now - self._round_at < ROUND_SECONDS:
            return []
        oldest: dict[str, float] = {}
        for ticket in self._sleeping():
            unread = now - ticket.read_at
            soon = not ticket.known or (ticket.series and ticket.follows)
            if unread >= (ROUND_SECONDS if soon else READ_SECONDS):
                oldest[ticket.job] = min(ticket.read_at, oldest.get(ticket.job, ticket.read_at))
        if oldest:
            self._round_at = now
        return sorted(oldest, key=lambda job: (oldest[job], job))[:ROUND_JOBS]

    def learn(self, asked: Sequence[str], found: Mapping[str, Job], now: float) -> None:
        """Wake the requests whose attempt has ended, by what the ledger answered."""
        jobs = set(asked)
        for ticket in self._sleeping():
            if ticket.job not in jobs:
                continue
            ticket.read_at = now
            job = found.get(ticket.job)
            if job is None or job.attempt != ticket.attempt or job.state.terminal:
                ticket.end()
            elif ticket.follows:
                ticket.move(progress_of(job))

    def wake_all(self) -> None:
        """Wake everybody: the process is about to end."""
        for ticket in self._tickets:
            ticket.end()

    def _sleeping(self) -> list[Waiter]:
        return [ticket for ticket in self._tickets if not ticket.ended]

    @staticmethod
    def _is_running(ticket: Waiter, data: bytes | None) -> bool:
        """Whether a cached progress is of the awaited attempt; the same bytes say the same."""
        if data == ticket.progress:
            return ticket.known
        ticket.progress = data
        progress = None if data is None else decode_progress(data, ticket.job)
        if progress is None or progress.attempt != ticket.attempt:
            return False
        ticket.move(progress)
        return True
