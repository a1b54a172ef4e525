"""Tasks that a worker holds: received, and not yet deleted or released; and their leases."""

from __future__ import annotations

import enum
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gridwell.engine.backoff import BackoffPolicy
from gridwell.engine.errors import ServiceBusy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from app_tier.executor.port import TaskOutcome
    from app_tier.worker.context import WorkerContext
    from gridwell.engine.messages import ChunkMessage
    from gridwell.engine.ports import Received

LEASE_SECONDS: Final = 60.0  #: the queue's visibility timeout, and what an extension gives
HARD_LIMIT_SECONDS: Final = 600.0  #: no task is held longer: it is made to last some seconds
_RENEW_BELOW: Final = 30.0  #: seconds left at which to extend: several tries fit in
#: Before a message that failed is received again: 2, 4, 8 … 60 s after so many receives.  A
#: quarter more or less, as the tasks of a job fail together.
RETRY: Final = BackoffPolicy(first=2.0, longest=LEASE_SECONDS, jitter=(0.75, 1.25))


class Renewal(enum.Enum):
    """The action that a lease needs now."""

    KEEP = "keep"
    EXTEND = "extend"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLease:
    """A task's lease.  Times by the monotonic clock.

    It is extended only when the task moved since the last extension: a worker that hangs must
    lose its task to another.
    """

    since: float  #: when the task was received
    ends: float
    moves: int = 0  #: the task's progress counter at the last extension

    @classmethod
    def begin(cls, now: float) -> TaskLease:
        """Return the lease of a message received at `now`."""
        return cls(since=now, ends=now + LEASE_SECONDS)

    def renewal(self, now: float, moves: int | None) -> Renewal:
        """Return what to do.

        Args:
            now: the time.
            moves: the task's progress counter; None: it does not run (it waits for its turn,
                or its result waits to be sent), which is no sign of hanging.
        """
        if self.too_long(now) or now >= self.ends:
            return Renewal.GIVE_UP
        if self.ends - now > _RENEW_BELOW:
            return Renewal.KEEP
        return Renewal.EXTEND if moves is None or moves > self.moves else Renewal.KEEP

    def too_long(self, now: float) -> bool:
        """Return True if the task has been held for as long as any may be."""
        return now - self.since >= HARD_LIMIT_SECONDS

    def hangs(self, now: float, moves: int | None) -> bool:
        """Return True if a task that is given up is to blame; arguments as of `renewal`."""
        return moves is not None and (self.too_long(now) or moves <= self.moves)

    def extended(self, now: float, moves: int | None) -> TaskLease:
        """Return the lease after an extension that the queue accepted at `now`."""
        return replace(self, ends=now + LEASE_SECONDS, moves=self.moves if moves is None else moves)


@dataclass(slots=True)
class HeldTask:
    """A task that the worker holds."""

    ticket: int
    message: ChunkMessage
    receipts: list[str]  #: of every delivery of it, as duplicates must be deleted too
    receives: int
    lease: TaskLease
    suspect: bool | None = None  #: may be what ends workers; None: not judged yet
    submitted: bool = False  #: the executor has it, or had it
    outcome: TaskOutcome | None = None  #: its result, which waits to be sent

    @property
    def name(self) -> str:
        """The task, for people."""
        return f"chunk {self.message.chunk} of job {self.message.job}"


class HeldTasks:
    """Held tasks by ticket; the same task is never held twice.

    Args:
        context: of the worker.
    """

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._held: dict[int, HeldTask] = {}
        self._tickets = itertools.count(1)

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[HeldTask]:
        """Iterate over those held at this moment: taking some away meanwhile is safe."""
        return iter(list(self._held.values()))

    def take(self, message: ChunkMessage, received: Received) -> None:
        """Hold a received task.  A duplicate delivery adds its receipt to the first one's."""
        for held in self._held.values():
            if held.message == message:
                held.receipts.append(received.receipt)
                held.receives = max(held.receives, received.receives)
                return
        ticket, lease = next(self._tickets), TaskLease.begin(self._context.now)
        self._held[ticket] = HeldTask(ticket, message, [received.receipt], received.receives, lease)

    def get(self, ticket: int) -> HeldTask | None:
        """Return the task with this ticket, if it is still held."""
        return self._held.get(ticket)

    def drop(self, held: HeldTask) -> None:
        """Hold a task no longer: its computation is discarded, and its file removed."""
        del self._held[held.ticket]
        if held.submitted and held.outcome is None:
            self._context.ports.compute.discard(held.ticket)
        if held.outcome is not None and held.outcome.file is not None:
            held.outcome.file.remove()

    def release(self, tasks: Iterable[HeldTask], seconds: float = 0.0) -> None:
        """Drop tasks, and let them be received again after some seconds."""
        released = list(tasks)
        for held in released:
            self.drop(held)
        if released:
            self.release_messages(_receipts(released), seconds)

    def release_later(self, held: HeldTask) -> None:
        """Drop a task, and let it be received again the later, the oftener it was."""
        self.release([held], self.retry_seconds(held.receives))

    def release_messages(self, receipts: list[str], seconds: float = 0.0) -> None:
        """Let messages be received again after some seconds."""
        try:
            self._context.ports.chunks.extend(receipts, seconds)
        except ServiceBusy as error:
            # The lease ends by itself, only later.
            self._context.note("busy", f"giving back {len(receipts)} messages: {error}")

    def retry_seconds(self, receives: int) -> float:
        """Return the seconds before a message that was received so often is tried again."""
        return RETRY.delay(receives, self._context.ports.chance())

    def renew(self) -> list[tuple[HeldTask, bool]]:
        """Extend the leases of tasks that moved.

        Returns:
            The tasks to give up, as they did not move or took too long; with True for those that
            hang, and False for those that only waited.
        """
        context = self._context
        now, progress = context.now, context.ports.compute.progress()
        due: list[tuple[HeldTask, int | None]] = []
        overdue = []
        for held in self._held.values():
            moves = None if held.outcome is not None else progress.get(held.ticket)
            renewal = held.lease.renewal(now, moves)
            if renewal is Renewal.EXTEND:
                due.append((held, moves))
            elif renewal is Renewal.GIVE_UP:
                overdue.append((held, held.lease.hangs(now, moves)))
        if due:
            self._extend(due, now)
        return overdue

    def _extend(self, due: list[tuple[HeldTask, int | None]], now: float) -> None:
        try:
            receipts = _receipts(held for held, _ in due)
            self._context.ports.chunks.extend(receipts, LEASE_SECONDS)
        except ServiceBusy as error:
            self._context.note("busy", f"extending {len(due)} leases: {error}")
        else:
            for held, moves in due:
                held.lease = held.lease.extended(now, moves)


def _receipts(tasks: Iterable[HeldTask]) -> list[str]:
    """Return the receipts of all deliveries of tasks."""
    return [receipt for held in tasks for receipt in held.receipts]
