"""The ledger, and the invariants of every write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.memory import MemoryLedger
from gridwell.domain.job import (
    CHUNK_FAILED,
    DEADLINE_EXCEEDED,
    INTEGRITY,
    LOST_MESSAGES,
    Job,
    JobState,
)
from web_tier.reconciler import MAX_RESENDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.kernel import Simulation
    from tests.simulation.known import Known

#: Writes that may change a job.
_WRITES: Final = ("create", "mark_sent", "merge", "finish", "fail", "cancel", "claim_resend")


class WatchedLedger:
    """A ledger whose every write is compared with what was there before.

    Args:
        sim: time, chance and where invariants are counted.
        known: the truth about problems, by sha.
    """

    def __init__(self, sim: Simulation, known: dict[str, Known]) -> None:
        self.inner = MemoryLedger()
        self.lied: set[str] = set()  #: attempts of which a wrong result was sent
        self.buried: Callable[[Job, int], bool] = lambda _job, _chunk: False
        self._sim = sim
        self._known = known
        self._index: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The inner ledger's method, watched if it writes jobs."""
        method: Callable[..., Any] = getattr(self.inner, name)
        if name not in _WRITES:
            return method

        def write(*args: Any, **options: Any) -> Any:
            job_id = args[0].id if name == "create" else args[0]
            before = self.inner.read(job_id)
            answer = method(*args, **options)
            after = self.inner.read(job_id)
            self._compare(before, after, options)
            again = method(*args, **options) if name in ("merge", "finish", "mark_sent") else None
            if again is not None:
                self._sim.require(
                    "I4 idempotence",
                    again == answer and self.inner.read(job_id) == after,
                    f"{name} of job {job_id} twice is not {name} once",
                )
            return answer

        setattr(self, name, write)
        return write

    def unfinished(self) -> list[str]:
        """Ids from an index that may show an older state."""
        if not self._sim.faults.strike("index late"):
            self._index = self.inner.unfinished()
        return list(self._index)

    def jobs(self) -> list[Job]:
        """All jobs, for who judges."""
        return list(self.inner._jobs.values())

    def _compare(self, before: Job | None, after: Job | None, options: dict[str, Any]) -> None:
        if after is None or after == before:
            return
        require = self._sim.require
        if before is not None and before.attempt == after.attempt:
            grown = before.done <= after.done and (
                before.best is None or (after.best is not None and after.best <= before.best)
            )
            require("I3 monotone", grown, f"job {after.id} lost chunks or its best")
            require("I3 terminal", not before.state.terminal, f"{before.state} {after.id} changed")
        elif before is not None:
            allowed = before.renewable(self._sim.now)
            require("I3 terminal", allowed, f"job {after.id} began anew though {before.state}")
        if before is None or before.state is not after.state:
            self._sim.note(f"job {after.id[:6]} run {after.run} is {after.state}")
        if after.state is JobState.DONE:
            self._done(after)
        if after.state is JobState.FAILED:
            require("I15 true reason", self._is_true(after, options), f"{after.id}: {after.error}")

    def _done(self, job: Job) -> None:
        self._sim.require("I2 no early done", job.complete, f"{job.id} misses {job.missing}")
        least = self._known[job.problem].least
        self._sim.require("I1 minimum", job.result == least, f"{job.result} is not {least}")

    def _is_true(self, job: Job, options: dict[str, Any]) -> bool:
        code = "" if job.error is None else job.error.code
        if code == DEADLINE_EXCEEDED:
            return self._sim.now > job.deadline and not job.complete
        if code == INTEGRITY:
            return job.attempt in self.lied
        if code == LOST_MESSAGES:
            return job.resends >= MAX_RESENDS and not job.complete
        if code == CHUNK_FAILED:
            chunk = options.get("unless_done")
            return chunk is not None and chunk not in job.done and self.buried(job, chunk)
        return False
