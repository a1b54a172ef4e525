"""Jobs of the tasks that a worker holds, as last read from the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.lru_cache import LruCache
from gridwell.engine.read_jobs import readable_jobs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.engine.job import Job
    from gridwell.engine.messages import ChunkMessage
    from gridwell.engine.ports import JobLedger

FRESH_SECONDS: Final = 5.0  #: how long a job that was read is not read again
KEPT_JOBS: Final = 1024  #: more than a worker holds tasks


@dataclass(slots=True)
class KnownJob:
    """A job as last read."""

    job: Job | None  #: None: the ledger has none
    read_at: float
    best: str | None  #: the least value of its register that this worker saw
    unreadable: str = ""  #: why this release cannot read it; empty: it can, or there is none

    def obsolete_reason(self, message: ChunkMessage, now: float) -> str | None:
        """Return the reason why a task's result is not wanted, or None if it may be.

        Args:
            message: the task's message.
            now: seconds since 1970.
        """
        return None if self.unreadable else obsolete_reason(message, self.job, now)


class JobCache:
    """Jobs as last read, with the least values seen of their registers."""

    def __init__(self, ledger: JobLedger) -> None:
        self._ledger = ledger
        self._known: LruCache[str, KnownJob] = LruCache(KEPT_JOBS)

    def learn(self, jobs: Iterable[str], now: float, *, older_than: float = FRESH_SECONDS) -> None:
        """Read those jobs, in one call, that were not read in the last seconds.

        Args:
            jobs: their ids.
            now: the time, by the monotonic clock.
            older_than: seconds; 0 reads all of them.

        Raises:
            ServiceBusy: if they cannot be read; nothing changed.
        """
        due = {job for job in jobs if self._age(job, now) >= older_than}
        if not due:
            return
        found, unreadable = readable_jobs(self._ledger, sorted(due))
        for name in due:
            job, before = found.get(name), self._known.peek(name)
            # Every attempt of a job is of one spec, so an older one's best value serves too.
            seen = None if before is None else before.best
            best = least(seen, None if job is None or job.best is None else job.best.key)
            self._known.put(name, KnownJob(job, now, best, str(unreadable.get(name, ""))))

    def get(self, job: str) -> KnownJob:
        """Return a job that was read.

        Raises:
            LookupError: if it was not.
        """
        known = self._known.get(job)
        if known is None:
            raise LookupError(f"job {job} was not read")
        return known

    def saw(self, job: str, best: str | None) -> None:
        """Remember a result of this worker, as a hint for the job's next tasks."""
        known = self._known.peek(job)
        if known is not None:
            known.best = least(known.best, best)

    def _age(self, job: str, now: float) -> float:
        known = self._known.get(job)
        return float("inf") if known is None else now - known.read_at


def least(one: str | None, other: str | None) -> str | None:
    """Return the lesser of two values of a register; None is greater than any."""
    return min(filter(None, (one, other)), default=None)


def obsolete_reason(message: ChunkMessage, job: Job | None, now: float) -> str | None:
    """Return the reason why a task's result is not wanted, or None if it is.

    Args:
        message: the task's message.
        job: its job as the ledger has it; None if there is none.
        now: seconds since 1970.
    """
    if job is None:
        return "its job does not exist"
    # Runs for each received chunk: a reason becomes text only where it holds.
    reasons = (
        (job.attempt != message.attempt, "its job is at attempt {0.attempt}"),
        (job.state.terminal, "its job is {0.state}"),
        (now > job.deadline, "its job is past its deadline"),
        (_has_ended(message, job), "its result is merged already"),
        (message.plan != job.plan, "its job has another plan"),
        (message.problem != job.spec, "its job has another problem"),
    )
    return next((reason.format(job) for holds, reason in reasons if holds), None)


def _has_ended(message: ChunkMessage, job: Job) -> bool:
    """Return True if all tasks of a chunk are known to have ended; no blocks are read for it."""
    if job.block:
        return message.task_set <= job.ended
    if message.tasks is None:
        return message.chunk in job.done or message.chunk in job.failed
    return all(task in job.done or task in job.failed for task in message.task_set)
