"""What a worker knows of the jobs whose chunks it meets."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.read_jobs import readable_jobs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.engine.job import Job
    from gridwell.engine.ports import JobLedger

FRESH_SECONDS: Final = 5.0  #: how long a job that was read is believed
_KEPT: Final = 256


@dataclass(slots=True)
class _Known:
    job: Job | None  #: None: the ledger has none
    read_at: float
    best: str | None  #: the least value of its register that this worker saw
    unreadable: str = ""  #: why the ledger's item says nothing to this release, if it does not


class JobCache:
    """Jobs as last read, with the best points seen of them."""

    def __init__(self, ledger: JobLedger) -> None:
        self._ledger = ledger
        self._known: OrderedDict[str, _Known] = OrderedDict()

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
            job, before = found.get(name), self._known.pop(name, None)
            # Every attempt of a job is of one problem, so an older one's best point serves too.
            seen = None if before is None else before.best
            best = least(seen, None if job is None or job.best is None else job.best.key)
            self._known[name] = _Known(job, now, best, str(unreadable.get(name, "")))
        while len(self._known) > max(_KEPT, len(due)):
            self._known.popitem(last=False)

    def get(self, job: str) -> Job | None:
        """The job as last read."""
        return self._known[job].job

    def unreadable(self, job: str) -> str:
        """Why this release cannot read the job; empty: it can, or there is none."""
        return self._known[job].unreadable

    def saw(self, job: str, best: str | None) -> None:
        """Remember a result of this worker, to rule out more in the job's next chunks."""
        known = self._known.get(job)
        if known is not None:
            known.best = least(known.best, best)

    def best(self, job: str) -> str | None:
        """Return the least value seen of the job's register, if there is one."""
        return self._known[job].best

    def _age(self, job: str, now: float) -> float:
        return now - self._known[job].read_at if job in self._known else float("inf")


def least(one: str | None, other: str | None) -> str | None:
    """Return the lesser of two values of a register; None is greater than any."""
    return min(filter(None, (one, other)), default=None)
