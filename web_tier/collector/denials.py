"""Jobs of which a service refuses something: when each is tried again, and what people are told."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gridwell.engine.errors import ServiceDenied
    from gridwell.engine.ports import Clock

_FIRST_SECONDS: Final = 15.0  #: the next round of the reconciler tries again
_LONGEST_SECONDS: Final = 300.0
_CURRENT_SECONDS: Final = 600.0  #: a refusal that was not seen again for so long is over
_REMEMBERED: Final = 1000  #: jobs


@dataclass(slots=True)
class _Entry:
    why: str
    seen_at: float
    retry_at: float
    refusals: int = 1
    logged: bool = False


class Denials:
    """Refusals by job.

    Args:
        clock: time.
    """

    def __init__(self, clock: Clock) -> None:
        self.count = 0  #: refusals since the start
        self._clock = clock
        self._jobs: OrderedDict[str, _Entry] = OrderedDict()

    def add(self, job: str, error: ServiceDenied) -> None:
        """Remember a refusal.

        Args:
            job: whose call was refused; or the name of a queue, where it was nobody's.
            error: what the service said.
        """
        self.count += 1
        now, why = self._clock.monotonic(), str(error)
        entry = self._jobs.pop(job, None)
        if entry is None or entry.why != why or now - entry.seen_at > _CURRENT_SECONDS:
            entry = _Entry(why, now, now + _FIRST_SECONDS)
        else:
            pause = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(entry.refusals, 10))
            entry.seen_at, entry.retry_at = now, now + pause
            entry.refusals += 1
        self._jobs[job] = entry
        while len(self._jobs) > _REMEMBERED:
            self._jobs.popitem(last=False)

    def waits(self, job: str) -> bool:
        """Return whether it is too soon to try this job again."""
        entry = self._jobs.get(job)
        return entry is not None and self._clock.monotonic() < entry.retry_at

    def forget(self, job: str) -> None:
        """Forget a job that succeeded or ended."""
        self._jobs.pop(job, None)

    def unlogged(self) -> list[tuple[str, str]]:
        """Return jobs and reasons that were not returned before: each reason of a job once."""
        new = [(job, entry) for job, entry in self._jobs.items() if not entry.logged]
        for _, entry in new:
            entry.logged = True
        return [(job, entry.why) for job, entry in new]

    @property
    def current(self) -> dict[str, str]:
        """Reasons by job, of the refusals that were seen of late."""
        oldest = self._clock.monotonic() - _CURRENT_SECONDS
        return {job: entry.why for job, entry in self._jobs.items() if entry.seen_at >= oldest}

    @property
    def summary(self) -> str:
        """The current refusals in one sentence; empty: there are none."""
        found = self.current
        if not found:
            return ""
        job, why = next(reversed(found.items()))
        return f"{len(found)} refused, the last is job {job}: {why}"[:500]
