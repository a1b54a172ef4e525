"""A job: one client's request for a problem, its states, and what the ledger keeps of it."""

from __future__ import annotations

import enum
import hashlib
import math
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.blocks import Blocks
from gridwell.engine.register import Best
from gridwell.engine.task_set import TaskSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.engine.blocks import TaskCounts
    from gridwell.engine.replica import Replica

DEADLINE_EXCEEDED: Final = "deadline_exceeded"
CHUNK_FAILED: Final = "chunk_failed"
INTEGRITY: Final = "integrity"
LOST_MESSAGES: Final = "lost_messages"
STORAGE_DENIED: Final = "storage_denied"  #: the store or the ledger refuses what it needs
TASKS_FAILED: Final = "tasks_failed"  #: some tasks were computed without success
NO_WORKER: Final = "no_worker"  #: none of a release that can compute it

_SHARE_A_SPEC: Final = frozenset({"map"})  #: release 0.1 added this kind alone to its ids
PUBLIC_CLIENT: Final = "public"  #: who everybody is while there are no API keys
DEADLINE_SECONDS: Final = 3600.0  #: from acceptance to a job that is given up
KEPT_SECONDS: Final = 7 * 86_400.0  #: how long a finished job can be read, at least


class JobState(enum.StrEnum):
    """The states of a job; see the table of transitions in `docs/reference/protocol.md`."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether an attempt in this state never changes again."""
        return self not in UNFINISHED


UNFINISHED: Final = frozenset({JobState.QUEUED, JobState.RUNNING})


@dataclass(frozen=True, slots=True)
class JobError:
    """The reason why a job failed: a stable code and a sentence for people."""

    code: str
    detail: str
    permanent: bool = False  #: it lies in what is asked: another attempt cannot mend it


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One client's request, as the ledger holds it.  Times in seconds since 1970."""

    id: str
    client: str
    kind: str  #: names what reads, computes and ends it in each program
    spec: str  #: the sha of what is asked
    detail: Mapping[str, Any]  #: what the kind keeps of it, as JSON has it; nobody else looks in
    tasks: int  #: how many there are, numbered from 0
    plan: str  #: the sha of how they are numbered: messages and results carry it
    state: JobState
    attempt: str  #: 16 hex digits, drawn for each run: late messages of an older run never match
    run: int = 1
    created: float
    deadline: float
    done: frozenset[int] = frozenset()  #: tasks whose result is merged
    best: Best | None = None  #: the least of what merged tasks reported
    workers: frozenset[str] = frozenset()  #: who computed chunks of this attempt
    credits: frozenset[int] = frozenset()  #: which of them reported which chunk, see `credit`
    digests: frozenset[tuple[int, str]] = frozenset()  #: tasks, and those of their stored files
    replicas: frozenset[Replica] = frozenset()  #: reports of tasks that two workers compute
    refusals: int = 0  #: attempts before this one whose merged answer was proved wrong
    sent_at: float | None = None  #: when all chunk messages were sent
    resend_at: float | None = None  #: not before this may missing chunks be sent again
    resends: int = 0
    moved: float | None = None  #: when a result was last merged
    result: Best | None = None  #: of a done job: what the register was when it ended
    reported: int = 0  #: how far a worker says that its task is; never stored with the job
    error: JobError | None = None
    finished: float | None = None
    expires: float | None = None
    #: Of a job whose tasks leave rows: how many of them share a block; 0: the states of all lie in
    #: the job's item.  None: its tasks leave no rows, and are merged into the register.
    block: int | None = None
    full: frozenset[int] = frozenset()  #: blocks of which every task has come to an end
    failed: frozenset[int] = frozenset()  #: tasks computed without success, of a job without blocks
    #: Of a job that has rows: how many tasks ended how.  Before its end a hint, of blocks only.
    counts: TaskCounts | None = None

    @property
    def has_rows(self) -> bool:
        """True if each task leaves a row, by which it is done or failed."""
        return self.block is not None

    @property
    def blocks(self) -> Blocks | None:
        """The layout of the tasks in blocks; None: their states lie in the job's item."""
        return Blocks(self.tasks, self.block) if self.block else None

    @property
    def ended(self) -> TaskSet:
        """The tasks that have come to an end; of blocks only those that are settled."""
        if self.blocks is None:
            return TaskSet.of(self.done | self.failed)
        return TaskSet.union(map(self.blocks.all_of, self.full))

    @property
    def complete(self) -> bool:
        """True if every task has come to an end."""
        if self.blocks is not None:
            return len(self.full) == len(self.blocks)
        return len(self.done | self.failed) == self.tasks

    @property
    def missing(self) -> list[int]:
        """Tasks that have not come to an end, rising; only of a job without blocks.

        Raises:
            ValueError: if the job has blocks, which must be read: see `JobLedger.read_blocks`.
        """
        if self.block:
            raise ValueError(f"the tasks of job {self.id} lie in blocks; read them by read_blocks")
        ended = self.done | self.failed
        return [task for task in range(self.tasks) if task not in ended]

    @property
    def found(self) -> int:
        """Items of its register's payload, or as many as a worker reports before its task ends."""
        register = self.result or self.best
        return (0 if register is None else len(register.payload)) or self.reported

    def reporters(self, chunk: int) -> list[str]:
        """Return the workers that reported a chunk of this attempt, in order of their names."""
        return [worker for worker in sorted(self.workers) if credit(chunk, worker) in self.credits]

    def replicas_of(self, task: int) -> list[Replica]:
        """Return what workers reported of a task that two compute."""
        return sorted(each for each in self.replicas if each.task == task)

    def with_digests(self, digests: Mapping[int, str]) -> frozenset[tuple[int, str]]:
        """Return `digests` with more of them: of a task that has one already that one stays."""
        return frozenset({**digests, **dict(self.digests)}.items())

    def done_with(self, result: Best, now: float) -> Job:
        """Return the job as done, its register and its result with the same payload."""
        payload = result.payload or (() if self.best is None else self.best.payload)
        return replace(
            self,
            state=JobState.DONE,
            best=None if self.best is None else replace(self.best, payload=payload),
            result=Best(result.key, payload),
            finished=now,
            expires=expiry(now),
        )

    def restarted(self, attempt: str, now: float) -> Job:
        """Return the job as it begins another attempt because this one's answer is wrong."""
        return replace(
            self,
            state=JobState.QUEUED,
            attempt=attempt,
            run=self.run + 1,
            refusals=self.refusals + 1,
            done=frozenset(),
            failed=frozenset(),
            full=frozenset(),
            counts=None,
            credits=frozenset(),
            digests=frozenset(),
            replicas=frozenset(),
            workers=frozenset(),
            best=None,
            sent_at=None,
            resend_at=None,
            resends=0,
            moved=now,
        )

    def renewable(self, now: float) -> bool:
        """Whether a new request for this job starts a new attempt.

        Failures of the problem itself stay: trying again cannot help.
        """
        if self.expires is not None and self.expires < now:
            return True
        if self.state is JobState.FAILED:
            return self.error is None or not self.error.permanent
        return self.state is JobState.CANCELLED


def credit(chunk: int, worker: str) -> int:
    """Return the number that stands for a chunk and who reported it.

    Sixteen bits tell a job's workers apart, and keep the ledger's set of these small: six bytes
    for each chunk instead of a worker's whole name.
    """
    return chunk << 16 | zlib.crc32(worker.encode()) & 0xFFFF


def expiry(finished: float) -> float:
    """When a job that finished then may be forgotten: a whole second, as DynamoDB's TTL asks."""
    return float(math.ceil(finished + KEPT_SECONDS))


def job_id(client: str, spec: str, kind: str = "") -> str:
    """Return the id of a client's job of a kind for a spec: 32 hex digits.

    It is a hash, so that a retry, a second tab and an impatient client join one job.  The spec says
    its kind, but for the kinds that share a spec with another one, of which there are few.
    """
    words = [client, spec, kind] if kind in _SHARE_A_SPEC else [client, spec]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]
