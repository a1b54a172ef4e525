"""Server-sent events of a job, without HTTP.

Progress is a state and not a log.  So a client that connects again needs no history: the first
event is the current state, unless the client has it already.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import ServiceError
from web_tier.jobs.cached_jobs import Progress, progress_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gridwell.engine.job import Job
    from gridwell.engine.ports import Clock
    from web_tier.waiting.wait_list import Waiter
    from web_tier.waiting.watcher import OwnedWatcher, Watcher

    Show = Callable[[Job, Progress], Mapping[str, Any]]

HEARTBEAT_SECONDS: Final = 10.0  #: proxies cut what is silent for a minute, some sooner
LIFE_SECONDS: Final = 600.0  #: then the stream ends, and the client begins another
CHECK_SECONDS: Final = 10.0  #: between two checks whether the caller may still see the job
UNCHECKED_SECONDS: Final = 60.0  #: without a check for so long a stream ends
APART_SECONDS: Final = 0.1  #: between two events: ten a second are a smooth bar
_RETRY_MS: Final = 1000


def stream(
    job: Job,
    waiter: Waiter | None,
    *,
    seen: str | None,
    watcher: Watcher | OwnedWatcher,
    clock: Clock,
    read: Callable[[str], Job | None],
    is_allowed: Callable[[], bool] = lambda: True,
    show: Show | None = None,
) -> Iterator[str]:
    """Yield the events of a job until it ends, the stream's life is over, or the process ends.

    It also ends, without an event, when its caller may no longer see the job.

    Args:
        job: as last read.
        waiter: follows it; None if it has ended.
        seen: the id of the last event that the client has, if any.
        watcher: gave the waiter, and takes it back.
        clock: measures.
        read: reads the job by its id.
        is_allowed: returns True if the caller may still see it; called each `CHECK_SECONDS`.
        show: makes the data of an event; None: the tasks that are done.

    Yields:
        The text of one or more events, or a comment that keeps the connection alive.
    """
    show = show or plain_step
    yield f"retry: {_RETRY_MS}\n\n"
    dies = clock.monotonic() + LIFE_SECONDS
    permit = _Permit(is_allowed, clock)
    while waiter is not None:
        if _id(progress_of(job)) != seen:
            yield _event("progress", job, progress_of(job), show)
        try:
            yield from _steps(job, waiter, dies, clock, permit, show)
        finally:
            watcher.leave(waiter)
        if permit.is_over():
            return
        latest = read(job.id)
        if not waiter.ended or latest is None:
            return  # the stream's life is over, it was displaced, or the job expired
        if latest == job and not latest.state.terminal:
            return  # this process is about to end: the client asks the next one
        job, seen = latest, None
        waiter = None if job.state.terminal else watcher.follow(job)
        if waiter is None and not job.state.terminal:
            return
    yield _event("end", job, progress_of(job), show)


class _Permit:
    """Permission of a stream, checked again each `CHECK_SECONDS`."""

    def __init__(self, is_allowed: Callable[[], bool], clock: Clock) -> None:
        self._is_allowed = is_allowed
        self._clock = clock
        self._allowed_at = clock.monotonic()
        self._over = False

    def is_over(self) -> bool:
        """Return True if the caller may not see the job any more.

        While the ledger does not respond, the stream goes on for `UNCHECKED_SECONDS` at most.
        """
        now = self._clock.monotonic()
        if self._over or now - self._allowed_at < CHECK_SECONDS:
            return self._over
        try:
            self._over = not self._is_allowed()
        except ServiceError:
            self._over = now - self._allowed_at >= UNCHECKED_SECONDS
            return self._over
        self._allowed_at = now
        return self._over


def _steps(
    job: Job, waiter: Waiter, dies: float, clock: Clock, permit: _Permit, show: Show
) -> Iterator[str]:
    """Yield the steps of one attempt until it ends, or until the stream may not go on."""
    sent_at, known = clock.monotonic(), _id(progress_of(job))
    while not _is_woken(waiter) and clock.monotonic() < dies and not permit.is_over():
        if not waiter.event.wait(HEARTBEAT_SECONDS):
            yield ": still there\n\n"
            continue
        rest = APART_SECONDS - (clock.monotonic() - sent_at)
        if rest > 0 and not _is_woken(waiter):
            clock.sleep(rest)
        waiter.event.clear()
        if waiter.latest is None or _is_woken(waiter):
            continue
        if (step := _id(waiter.latest)) != known:  # the watcher begins with how things stand
            yield _event("progress", job, waiter.latest, show)
            sent_at, known = clock.monotonic(), step


def _is_woken(waiter: Waiter) -> bool:
    """Return True if the attempt has ended or the waiter was displaced."""
    return waiter.ended or waiter.displaced


def plain_step(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Return how far a job of any kind is: the tasks of it that are done."""
    return {
        "state": state_at(job, progress),
        "tasks_done": progress.tasks_done,
        "tasks_total": job.tasks,
    }


def state_at(job: Job, progress: Progress) -> str:
    """Return the state of a job that was read before it had come so far."""
    moves = bool(progress.tasks_done or progress.found)
    return "running" if moves and not job.state.terminal else job.state.value


def _event(name: str, job: Job, progress: Progress, show: Show) -> str:
    data = json.dumps(show(job, progress), separators=(",", ":"))
    return f"id: {_id(progress)}\nevent: {name}\ndata: {data}\n\n"


def _id(progress: Progress) -> str:
    """Return the id of a state, which is not sent twice to a client."""
    return f"{progress.attempt}-{progress.tasks_done}-{progress.found}"
