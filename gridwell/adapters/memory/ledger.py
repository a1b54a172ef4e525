"""The ledger in memory: both of its ports, every write one atomic step."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from gridwell.access.secret import SECRET_BYTES
from gridwell.adapters.memory.audit import MemoryAuditLog
from gridwell.adapters.memory.task_blocks import MemoryBlocks
from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.job import Job, JobError, JobState, credit, expiry
from gridwell.engine.ports import NO_DIGESTS, Page
from gridwell.engine.register import lesser
from gridwell.engine.task_set import NO_TASKS
from gridwell.fleet.model import Control, FleetView, Heartbeat, Lease, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gridwell.engine.blocks import Block, Blocks, TaskCounts
    from gridwell.engine.register import Best
    from gridwell.engine.replica import Replica
    from gridwell.engine.task_failure import ChunkFailure, Suspect
    from gridwell.engine.task_set import TaskSet


def _new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


class MemoryLedger:
    """Keeps the promises of `JobLedger` and `FleetLedger` in `gridwell.engine.ports`.

    Args:
        draw_secret: gives the web tier's secret, once.
    """

    def __init__(self, *, draw_secret: Callable[[], bytes] = _new_secret) -> None:
        self.audit = MemoryAuditLog()
        self._draw_secret = draw_secret
        self._secret: bytes | None = None
        self._suspects: dict[str, Suspect] = {}
        self._jobs: dict[str, Job] = {}
        self._failures: dict[tuple[str, str, int], ChunkFailure] = {}
        self._task_blocks = MemoryBlocks()
        self._told: dict[tuple[str, str], int] = {}
        self._beats: dict[str, Heartbeat] = {}
        self._slots: dict[int, Slot] = {}
        self._control = Control()
        self._view: str | None = None
        self._lease: Lease | None = None
        self._lock = threading.Lock()

    # --- jobs

    def create(self, job: Job, *, replaces: Job | None = None) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._jobs.get(job.id)
            if stored is None or (
                replaces is not None
                and stored.attempt == replaces.attempt
                and stored.renewable(job.created)
            ):
                self._jobs[job.id] = job
                return True
            return stored.attempt == job.attempt

    def read(self, job: str) -> Job | None:
        """See `gridwell.engine.ports.JobLedger`."""
        return self._jobs.get(job)

    def read_many(self, jobs: Iterable[str]) -> dict[str, Job]:
        """See `gridwell.engine.ports.JobLedger`."""
        return {job: self._jobs[job] for job in jobs if job in self._jobs}

    def mark_sent(self, job: str, attempt: str, *, sent_at: float, resend_at: float) -> None:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._jobs.get(job)
            if stored is not None and stored.attempt == attempt and stored.sent_at is None:
                self._jobs[job] = replace(stored, sent_at=sent_at, resend_at=resend_at)

    def merge(
        self,
        job: str,
        attempt: str,
        tasks: frozenset[int],
        best: Best | None,
        *,
        worker: str,
        now: float,
        digests: Mapping[int, str] = NO_DIGESTS,
    ) -> Job | None:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._unfinished(job, attempt)
            if stored is None:
                return None
            own = None if best is None else replace(best, by=worker)
            self._jobs[job] = merged = replace(
                stored,
                state=JobState.RUNNING,
                done=stored.done | tasks,
                best=lesser(stored.best, own),
                workers=stored.workers | {worker},
                credits=stored.credits | {credit(task, worker) for task in tasks},
                digests=stored.with_digests(digests),
                moved=now,
            )
            return merged

    def finish(
        self,
        job: str,
        attempt: str,
        result: Best,
        *,
        now: float,
    ) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._jobs.get(job)
            if stored is None or stored.attempt != attempt:
                return False
            if stored.state is JobState.RUNNING and stored.complete:
                self._jobs[job] = stored.done_with(result, now)
                return True
            known = stored.result
            return stored.state is JobState.DONE and known is not None and known.key == result.key

    def hold(self, job: str, attempt: str, replica: Replica) -> Job | None:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._unfinished(job, attempt)
            if stored is None:
                return None
            self._jobs[job] = held = replace(
                stored,
                state=JobState.RUNNING,
                replicas=stored.replicas | {replica},
            )
            return held

    def restart(self, job: str, attempt: str, fresh: str, *, now: float) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._jobs.get(job)
            if stored is None or stored.attempt != attempt or stored.state.terminal:
                return stored is not None and stored.attempt == fresh
            self._jobs[job] = stored.restarted(fresh, now)
            return True

    def fail(
        self,
        job: str,
        attempt: str,
        error: JobError,
        *,
        now: float,
        unless_done: int | None = None,
        past_deadline: bool = False,
    ) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._jobs.get(job)
            if stored is None or stored.attempt != attempt:
                return False
            if stored.state.terminal:
                # Tried again after a lost reply, it finds its own words.
                return (stored.error, stored.finished) == (error, now)
            if unless_done in stored.done or (past_deadline and stored.deadline >= now):
                return False
            self._jobs[job] = replace(
                stored,
                state=JobState.FAILED,
                error=error,
                finished=now,
                expires=expiry(now),
            )
            return True

    def cancel(self, job: str, attempt: str, *, now: float) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._jobs.get(job)
            if stored is None or stored.attempt != attempt:
                return False
            if not stored.state.terminal:
                stored = replace(
                    stored, state=JobState.CANCELLED, finished=now, expires=expiry(now)
                )
                self._jobs[job] = stored
            return stored.state is JobState.CANCELLED

    def claim_resend(self, job: str, attempt: str, *, seen: float | None, later: float) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._unfinished(job, attempt)
            if stored is None or stored.resend_at != seen:
                return False
            self._jobs[job] = replace(stored, resend_at=later, resends=stored.resends + 1)
            return True

    def settle(
        self,
        job: str,
        attempt: str,
        blocks: Blocks,
        done: TaskSet,
        failed: TaskSet = NO_TASKS,
        cancelled: TaskSet = NO_TASKS,
        *,
        expires: float,  # noqa: ARG002 - nothing is forgotten here
    ) -> tuple[Block, ...]:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            return self._task_blocks.settle(
                job, attempt, blocks, {"done": done, "failed": failed, "cancelled": cancelled}
            )

    def record_tasks(
        self,
        job: str,
        attempt: str,
        *,
        workers: frozenset[str],
        now: float,
        done: frozenset[int] = frozenset(),
        failed: frozenset[int] = frozenset(),
        full: frozenset[int] = frozenset(),
        counts: TaskCounts | None = None,
    ) -> Job | None:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            stored = self._unfinished(job, attempt)
            if stored is None:
                return None
            self._jobs[job] = recorded = replace(
                stored,
                state=JobState.RUNNING,
                done=stored.done | done,
                failed=stored.failed | failed,
                full=stored.full | full,
                counts=counts or stored.counts,
                workers=stored.workers | workers,
                moved=now,
            )
            return recorded

    def finish_tasks(
        self, job: Job, counts: TaskCounts, *, now: float, error: JobError | None = None
    ) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        state = JobState.DONE if error is None else JobState.FAILED
        with self._lock:
            stored = self._jobs.get(job.id)
            if stored is None or stored.attempt != job.attempt:
                return False
            same = (stored.done, stored.failed, stored.full) == (job.done, job.failed, job.full)
            if stored.state is JobState.RUNNING and stored.complete and same:
                self._jobs[job.id] = replace(
                    stored,
                    state=state,
                    counts=counts,
                    error=error,
                    finished=now,
                    expires=expiry(now),
                )
                return True
            return (stored.state, stored.counts, stored.error) == (state, counts, error)

    def read_blocks(
        self, job: str, attempt: str, blocks: Blocks, numbers: Iterable[int] | None = None
    ) -> tuple[Block, ...]:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            return self._task_blocks.read(job, attempt, blocks, numbers)

    def record_failure(self, failure: ChunkFailure) -> ChunkFailure:
        """See `gridwell.engine.ports.JobLedger`."""
        key = failure.job, failure.attempt, failure.chunk
        with self._lock:
            self._failures[key] = failure.after(self._failures.get(key))
            return self._failures[key]

    def read_failure(self, job: str, attempt: str, chunk: int) -> ChunkFailure | None:
        """See `gridwell.engine.ports.JobLedger`."""
        return self._failures.get((job, attempt, chunk))

    def record_suspect(self, suspect: Suspect) -> None:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            self._suspects[suspect.worker] = suspect.after(self._suspects.get(suspect.worker))

    def secret(self) -> bytes:
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            if self._secret is None:
                self._secret = self._draw_secret()
            return self._secret

    def report_progress(self, job: str, attempt: str, found: int, *, now: float) -> None:  # noqa: ARG002 - nothing is forgotten here
        """See `gridwell.engine.ports.JobLedger`."""
        with self._lock:
            self._told[job, attempt] = max(found, self._told.get((job, attempt), found))

    def read_progress(self, attempts: Mapping[str, str]) -> dict[str, int]:
        """See `gridwell.engine.ports.JobLedger`."""
        return {pair[0]: self._told[pair] for pair in attempts.items() if pair in self._told}

    def unfinished(self) -> list[str]:
        """See `gridwell.engine.ports.JobLedger`."""
        return [job.id for job in list(self._jobs.values()) if not job.state.terminal]

    def count_unfinished(self, client: str) -> int:
        """See `gridwell.engine.ports.JobLedger`."""
        jobs = list(self._jobs.values())
        return sum(job.client == client and not job.state.terminal for job in jobs)

    def recent(self, client: str, *, limit: int, cursor: str | None = None) -> Page:
        """See `gridwell.engine.ports.JobLedger`."""
        if cursor is not None and not cursor.isdecimal():
            detail = f"{cursor!r} is not the cursor of a page; leave it out to start again"
            raise InvalidJob(Fault("/cursor", detail))
        first = int(cursor or "0")
        own = [job for job in self._jobs.values() if job.client == client]
        own.sort(key=lambda job: (job.created, job.id), reverse=True)
        after = first + limit
        return Page(tuple(own[first:after]), str(after) if after < len(own) else None)

    def _unfinished(self, job: str, attempt: str) -> Job | None:
        stored = self._jobs.get(job)
        if stored is None or stored.attempt != attempt or stored.state.terminal:
            return None
        return stored

    # --- the fleet

    def beat(self, heartbeat: Heartbeat) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        self._beats[heartbeat.worker] = heartbeat

    def heartbeats(self, workers: Iterable[str]) -> dict[str, Heartbeat]:
        """See `gridwell.fleet.ports.FleetLedger`."""
        return {worker: self._beats[worker] for worker in workers if worker in self._beats}

    def suspects(self, workers: Iterable[str]) -> dict[str, Suspect]:
        """See `gridwell.fleet.ports.FleetLedger`."""
        return {worker: self._suspects[worker] for worker in workers if worker in self._suspects}

    def slots(self, places: Iterable[int] | None = None) -> tuple[Slot, ...]:
        """See `gridwell.fleet.ports.FleetLedger`."""
        wanted = self._slots if places is None else self._slots.keys() & set(places)
        return tuple(self._slots[number] for number in sorted(wanted))

    def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
        """See `gridwell.fleet.ports.FleetLedger`."""
        with self._lock:
            stored = self._slots.get(slot.number) or Slot(number=slot.number)
            if stored.epoch != seen.epoch or stored.fence > slot.fence:
                return stored == slot  # tried again after a lost reply, or too late
            self._slots[slot.number] = slot
            return True

    def control(self) -> Control:
        """See `gridwell.fleet.ports.FleetLedger`."""
        return self._control

    def write_control(self, control: Control) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        self._control = control

    def view(self) -> FleetView | None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        return None if self._view is None else FleetView.decode(self._view)

    def write_view(self, view: FleetView) -> None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        self._view = view.encode()

    def lease(self) -> Lease | None:
        """See `gridwell.fleet.ports.FleetLedger`."""
        return self._lease

    def write_lease(self, lease: Lease, *, seen: Lease | None) -> bool:
        """See `gridwell.fleet.ports.FleetLedger`."""
        with self._lock:
            if self._lease != seen:
                return self._lease == lease
            self._lease = lease
            return True
