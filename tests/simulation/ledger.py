"""The ledger, and the invariants of every write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.job import DEADLINE_EXCEEDED, Job, JobState
from gridwell.engine.register import lesser
from gridwell.fleet.model import FleetView
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.names import MAP_KIND
from tests.harness.builders import SECRET
from tests.simulation.faults import SERVICE_SKEW
from tests.simulation.invariants import (
    I1,
    I2,
    I3,
    I3_ATTEMPT,
    I3_TERMINAL,
    I4,
    I5_AGAIN,
    I6_MAP,
    I8_FENCE,
    I8_LEASE,
    I15,
    I19,
    I21,
)
from tests.simulation.verdicts import FORGER
from web_tier.collector.finisher import MAX_REFUSALS
from web_tier.collector.reconciler import MAX_RESENDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.task_failure import ChunkFailure
    from gridwell.fleet.model import Heartbeat, Lease, Slot
    from tests.simulation.kernel import Simulation
    from tests.simulation.recorded_answers import Known

#: Writes that may change a job.
_WRITES: Final = (
    "create",
    "mark_sent",
    "merge",
    "restart",
    "finish",
    "fail",
    "cancel",
    "claim_resend",
)
_REMEMBERED: Final = 30  #: writes that may be made again long after
_AGAIN: Final = 0.25  #: how often one of them is


class _Ledger(MemoryLedger):
    """The double, which keeps the view as it is: it is text only for who starts anew."""

    shown: FleetView | None = None

    def view(self) -> FleetView | None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        return None if self.shown is None else FleetView.decode(self.shown.encode())

    def write_view(self, view: FleetView) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        self.shown = view


class WatchedLedger:
    """A ledger whose every write is compared with what was there before.

    Args:
        sim: time, chance and where invariants are counted.
        known: the truth about problems, by sha.
        is_true: whether a failed job's reason holds, at the moment it is written.
        is_kept: whether a chunk's map is stored.
        is_fair: whether more than one ill machine speaks against a chunk that fails its job.
        hears: called with each worker whose heartbeat comes, before it is noted.
    """

    def __init__(
        self,
        sim: Simulation,
        known: dict[str, Known],
        is_true: Callable[[Job, dict[str, Any]], bool],
        is_kept: Callable[[Job, int], bool],
        is_fair: Callable[[Job, int | None], bool] = lambda *_: True,
        *,
        hears: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.inner = _Ledger(draw_secret=lambda: SECRET)
        self.ended_at: dict[str, float] = {}  #: when each attempt ended
        self.expired: list[Job] = []  #: attempts that their deadline ended
        self.asked: set[str] = set()  #: jobs that somebody asked to cancel
        self.heard_at: dict[str, float] = {}  #: when each worker's last heartbeat came
        self._hears = hears
        self._leased_at = float("-inf")  #: when the lease was last written
        self.lied: set[str] = set()  #: attempts of which a wrong result was made
        self._sim = sim
        self._known = known
        self._is_true = is_true
        self._is_kept = is_kept
        self._is_fair = is_fair
        self._index: list[str] = []
        self._made: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        """The inner ledger's method, watched if it writes jobs."""
        method: Callable[..., Any] = getattr(self.inner, name)
        if name not in _WRITES:
            setattr(self, name, method)
            return method

        def write(*args: Any, **options: Any) -> Any:
            if name == "merge":
                honest = options["worker"] != FORGER
                self._sim.require(I21, honest, f"a forged result is merged into {args[0]}")
            job_id = args[0].id if name == "create" else args[0]
            before = self.inner.read(job_id)
            answer = method(*args, **options)
            after = self.inner.read(job_id)
            if after is not None and after != before:
                if name == "restart":
                    self._compare_restart(before, after)
                elif name != "create":
                    mine = after.attempt == args[1]
                    self._sim.require(
                        I3_ATTEMPT, mine, lambda: f"{name} of {args[1]} changed {after}"
                    )
                self._compare(before, after, options)
                self._again(name, args, options)
                self._remember(name, args, options)
            elif self._made and self._sim.rng.random() < _AGAIN:
                self._again(*self._sim.rng.choice(self._made))
            return answer

        setattr(self, name, write)
        return write

    def record_failure(self, failure: ChunkFailure) -> ChunkFailure:
        """See `gridwell.engine.ports.JobLedger`."""
        honest = failure.worker != FORGER
        self._sim.require(I21, honest, f"a forged failure of {failure.job} is recorded")
        return self.inner.record_failure(failure)

    def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
        """See `gridwell.fleet.ports.FleetLedger`."""
        before = {kept.number: kept.fence for kept in self.inner.slots()}
        written = self.inner.write_slot(slot, seen=seen)
        older = written and slot.fence < before.get(slot.number, 0)
        self._sim.require(I8_FENCE, not older, lambda: f"{slot} is written too late")
        return written

    def write_lease(self, lease: Lease, *, seen: Lease | None) -> bool:
        """See `gridwell.fleet.ports.FleetLedger`."""
        before = self.inner.lease()
        written = self.inner.write_lease(lease, seen=seen)
        if written and before is not None and before.owner != lease.owner:
            lasts = 0.0 if before.is_given_back else before.seconds or 0.0
            over = self._sim.now - self._leased_at >= lasts
            self._sim.require(I8_LEASE, over, f"{lease.owner} takes the lease of {before.owner}")
            self._sim.note(f"{lease.owner} holds the lease")
        if written:
            self._leased_at = self._sim.now
        return written

    def beat(self, heartbeat: Heartbeat) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        self._hears(heartbeat.worker)
        self.heard_at[heartbeat.worker] = self._sim.now
        self.inner.beat(heartbeat)

    def unfinished(self) -> list[str]:
        """Ids from an index that may show an older state."""
        if not self._sim.faults.strike("index late"):
            self._index = self.inner.unfinished()
        return list(self._index)

    def jobs(self) -> list[Job]:
        """All jobs, for who judges."""
        return list(self.inner._jobs.values())

    def _remember(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        if len(self._made) < _REMEMBERED:
            self._made.append((name, args, options))
        else:
            self._made[self._sim.rng.randrange(_REMEMBERED)] = name, args, options

    def _again(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Make a write once more: it must leave the ledger as it is."""
        job_id = args[0].id if name == "create" else args[0]
        before = self.inner.read(job_id)
        if name == "merge" and before is not None and before.moved is not None:
            # When something was last merged is a hint for people and for patience, no truth.
            options = {**options, "now": before.moved}
        getattr(self.inner, name)(*args, **options)
        self._sim.require(
            I4,
            self.inner.read(job_id) == before,
            lambda: f"{name} of job {job_id} made again changes {before}",
        )

    def _compare(self, before: Job | None, after: Job, options: dict[str, Any]) -> None:
        require = self._sim.require
        if before is not None and before.attempt == after.attempt:
            fell = before.best is None or lesser(before.best, after.best) == after.best
            grown = before.done <= after.done and fell
            require(I3, grown, f"job {after.id} lost chunks or its best")
            # That the messages were sent may be noted late: it says nothing of the attempt's end.
            ended = before.state.terminal and after != replace(
                before, sent_at=after.sent_at, resend_at=after.resend_at
            )
            require(I3_TERMINAL, not ended, f"{before.state} {after.id} changed")
        elif before is not None and before.refusals == after.refusals:
            allowed = before.renewable(self._sim.now)
            require(I3_TERMINAL, allowed, f"job {after.id} began anew though {before.state}")
        if after.kind == MAP_KIND:
            lost = [chunk for chunk in after.done if not self._is_kept(after, chunk)]
            require(I6_MAP, not lost, f"chunks {lost} of {after.id} are done, their maps not kept")
        if before is not None and before.resends < after.resends:
            due = before.resend_at is not None and before.resend_at <= self._sim.now + SERVICE_SKEW
            few = after.resends <= MAX_RESENDS
            require(I5_AGAIN, due and few, f"{after.id}: {after.resends} times, due {due}")
        if before is None or before.state is not after.state or before.attempt != after.attempt:
            why = "" if after.error is None else f", {after.error.code}"
            self._sim.note(f"job {after.id[:6]} run {after.run} is {after.state}{why}")
        self._compare_end(after, options)

    def _compare_restart(self, before: Job | None, after: Job) -> None:
        """An unfinished attempt is discarded only where a wrong result was reported in it."""
        true = (
            before is not None
            and not before.state.terminal
            and (before.complete or len(before.replicas) > 1)
        )
        self._sim.require(I3_TERMINAL, true, f"{after.id} began anew, though {before}")
        lied = before is not None and before.attempt in self.lied
        self._sim.require(I15, lied, f"nobody lied in attempt {before and before.attempt}")
        few = after.refusals <= MAX_REFUSALS
        self._sim.require(I15, few, f"{after.id} was refused {after.refusals} times")

    def _compare_end(self, after: Job, options: dict[str, Any]) -> None:
        require = self._sim.require
        if after.state.terminal:
            self.ended_at.setdefault(after.attempt, self._sim.now)
        if after.state is JobState.DONE:
            known = self._known[after.spec]
            require(I2, after.complete, f"{after.id} misses {after.missing}")
            view = grid_view(after)
            true = (view.result, view.points) == (known.least, known.points)
            require(I1, true, f"{view.result} is not {known.least}, or {view.points} not true")
        if after.state is JobState.CANCELLED:
            require(I15, after.id in self.asked, f"nobody asked to cancel {after.id}")
        if after.state is JobState.FAILED:
            require(I15, self._is_true(after, options), f"{after.id}: {after.error}")
            fair = self._is_fair(after, options.get("unless_done"))
            require(I19, fair, f"{after.id} is failed by one machine: {after.error}")
            if after.error is not None and after.error.code == DEADLINE_EXCEEDED:
                self.expired.append(after)
