"""What the tiers ask of the outside, and what each call promises.

Adapters in `gridwell.adapters` keep these promises with AWS and memcached; the doubles in
`gridwell.adapters.memory` keep them in memory; one suite of tests holds both to them.

Any call may raise `ServiceBusy` (the same call may succeed later; whether this one took effect is
unknown) or `ServiceDenied` (it will not), except where a promise says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from gridwell.engine.task_set import NO_TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gridwell.engine.audit import AuditLog
    from gridwell.engine.blocks import Block, Blocks, TaskCounts
    from gridwell.engine.job import Job, JobError
    from gridwell.engine.job_events import Notice
    from gridwell.engine.register import Best
    from gridwell.engine.replica import Replica
    from gridwell.engine.task_failure import ChunkFailure, Suspect
    from gridwell.engine.task_set import TaskSet


NO_DIGESTS: Final[Mapping[int, str]] = MappingProxyType({})  #: of no task


class Clock(Protocol):
    """Time, so that tests and simulators can own it."""

    def now(self) -> float:
        """Seconds since 1970 by the wall clock: for what is stored or compared between machines."""

    def monotonic(self) -> float:
        """Seconds since an unknown moment that never run backwards: for durations."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was received: leased to us until it is deleted or visible again."""

    body: str
    receipt: str  #: the handle of this receive; it ages with the lease
    receives: int = 1  #: how often the message has been received, approximately
    sent_at: float | None = None  #: when it was first sent, where the queue tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How full a queue says it is.  The counts are approximate and late: a hint, never a proof."""

    visible: int
    in_flight: int


class Queue(Protocol):
    """A standard SQS queue: at least once, in no order."""

    def send(self, bodies: Sequence[str], *, group: str = "") -> list[int]:
        """Send messages, in as few calls as can be.

        Args:
            bodies: the texts, any number of them.
            group: the tenant, for fair queueing; it orders nothing.

        Returns:
            The positions in `bodies` that the queue refused; they alone may be sent again.
        """

    def receive(self, *, at_most: int, wait: float) -> list[Received]:
        """Lease up to `at_most` (1 to 10) messages, waiting up to `wait` seconds for the first.

        An empty answer of a long poll (wait > 0) asked all servers, that of a short one did not.
        A message may be received more than once, even while it is leased.
        """

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages.  One that is gone already, or whose receipt aged, is no error.

        A deleted message may, rarely, still be received again.
        """

    def extend(self, receipts: Sequence[str], seconds: float) -> None:
        """Let leases end `seconds` from now; 0 gives the messages back.

        A receipt that no longer holds a lease is passed over.
        """

    def depth(self) -> Depth:
        """How many messages are visible and in flight: approximate, up to a minute old."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a list, and where the next ones begin."""

    jobs: tuple[Job, ...]
    cursor: str | None  #: give it to get the next page; None: there is none


class JobLedger(Protocol):
    """The truth about jobs.  Every write is one atomic, conditional step; every read is current.

    A write whose reply was lost may be repeated: it recognises itself by the attempt.
    """

    @property
    def audit(self) -> AuditLog:
        """What operators did."""

    def create(self, job: Job, *, replaces: Job | None = None) -> bool:
        """Store a job with its fresh attempt.

        Args:
            job: the job, queued (or done, where the answer was known).
            replaces: the renewable job that was read before, if there was one.

        Returns:
            Whether the stored job is now of this attempt.  False: somebody else was first.
        """

    def read(self, job: str) -> Job | None:
        """The job, or None if there is none; it may be past its `expires`."""

    def read_many(self, jobs: Iterable[str]) -> dict[str, Job]:
        """The jobs that exist, by id: in one call for each hundred."""

    def mark_sent(self, job: str, attempt: str, *, sent_at: float, resend_at: float) -> None:
        """Record that all chunk messages were sent; the first such record stays."""

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
        """Add finished tasks, and what they reported, to a running attempt.

        Sets are united and of two registers the lesser stays, so duplicates, any order and any
        number of callers give the same state.

        Args:
            job: the job.
            attempt: the attempt that the results belong to.
            tasks: at least one task number.
            best: the least of their registers, whatever it says of its worker; None: none has one.
            worker: who computed them.
            now: the time to record as `moved`.
            digests: of the tasks' stored files, by task; the first of a task stays.

        Returns:
            The job after the merge; None if there is no unfinished job of this attempt.
        """

    def finish(
        self,
        job: str,
        attempt: str,
        result: Best,
        *,
        now: float,
    ) -> bool:
        """Close a running attempt as done, if every task is merged.

        Args:
            job: the job.
            attempt: the attempt.
            result: the answer's register; a payload takes the place of the merged one.
            now: the time to record as `finished`.

        Returns:
            Whether this call or an earlier one closed it with this result.
        """

    def hold(self, job: str, attempt: str, replica: Replica) -> Job | None:
        """Keep what a worker reported of a task that two compute, without merging it.

        Args:
            job: the job.
            attempt: the attempt that the report belongs to.
            replica: the report; one that is kept already stays.

        Returns:
            The job with it; None if there is no unfinished job of this attempt.
        """

    def restart(self, job: str, attempt: str, fresh: str, *, now: float) -> bool:
        """Discard what is merged of an unfinished attempt, and begin another one.

        The job is queued again, with nothing merged and nothing sent; its deadline stays.

        Args:
            job: the job.
            attempt: the attempt whose merged answer was proved wrong.
            fresh: the new attempt.
            now: the time to record as `moved`.

        Returns:
            Whether the stored job is now of the new attempt.
        """

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
        """Close an unfinished attempt as failed.

        Args:
            job: the job.
            attempt: the attempt to fail.
            error: why.
            now: the time to record as `finished`.
            unless_done: leave the job alone if this chunk is merged after all.
            past_deadline: leave it alone unless its deadline lies before `now`.

        Returns:
            Whether this call closed it.
        """

    def cancel(self, job: str, attempt: str, *, now: float) -> bool:
        """Close an unfinished attempt as cancelled.

        Returns:
            Whether it is cancelled, by this call or an earlier one.
        """

    def claim_resend(self, job: str, attempt: str, *, seen: float | None, later: float) -> bool:
        """Win the right to send missing chunks again, once per `resend_at`.

        Args:
            job: the job.
            attempt: the attempt.
            seen: the `resend_at` that was read.
            later: the next one.
        """

    def settle(
        self,
        job: str,
        attempt: str,
        blocks: Blocks,
        done: TaskSet,
        failed: TaskSet = NO_TASKS,
        cancelled: TaskSet = NO_TASKS,
        *,
        expires: float,
    ) -> tuple[Block, ...]:
        """Add tasks to the sets of their blocks.

        Union alone, under no condition: whatever became of the job meanwhile, duplicates, any
        order and any number of callers give the same state.  Dying in between leaves some blocks
        written, which the same call then completes.

        Args:
            job: the job.
            attempt: the attempt in which the tasks were computed; each has blocks of its own.
            blocks: how the job's tasks lie in blocks, as recorded in the job.
            done: tasks that were computed with success.
            failed: tasks that were computed without.
            cancelled: tasks that shall not be computed any more.
            expires: until when blocks are kept: the same in each call for an attempt.

        Returns:
            The blocks that these tasks lie in, as they are then, by their numbers.
        """

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
        """Add to a running attempt tasks that came to an end, or settled blocks of them.

        Args:
            job: the job.
            attempt: the attempt.
            workers: that computed the tasks.
            now: the time to record as `moved`.
            done: tasks that were computed with success, of a job without blocks.
            failed: tasks that were computed without; one that is done too is done.
            full: blocks that `settle` returned as settled; none only says that the job moves.
            counts: how far the job is, for people: the last such record stays, and it decides
                nothing.

        Returns:
            The job after that; None if there is no unfinished job of this attempt.
        """

    def finish_tasks(
        self, job: Job, counts: TaskCounts, *, now: float, error: JobError | None = None
    ) -> bool:
        """Close a running attempt whose every task has come to an end.

        Args:
            job: as read when it was complete.
            counts: how many of its tasks ended how.
            now: the time to record as `finished`.
            error: why it failed, where it did; else it is done.

        Returns:
            Whether this call or an earlier one closed it with these counts.  False too if a task
            succeeded late, after the job was read: read it again.
        """

    def read_blocks(
        self, job: str, attempt: str, blocks: Blocks, numbers: Iterable[int] | None = None
    ) -> tuple[Block, ...]:
        """Return blocks as of now, by their numbers: in one call for each hundred.

        Args:
            job: the job.
            attempt: of the job.
            blocks: how its tasks lie in blocks.
            numbers: of the blocks; None: all.

        Returns:
            Each of them; one that was never written has no task that came to an end.
        """

    def record_failure(self, failure: ChunkFailure) -> ChunkFailure:
        """Add a failed try of a chunk to what is kept of it, by `ChunkFailure.after`.

        Kept apart from the job, which no number of failures makes dearer to write.

        Returns:
            What is kept then.
        """

    def read_failure(self, job: str, attempt: str, chunk: int) -> ChunkFailure | None:
        """What is kept of a chunk's failed tries, or None if none was reported."""

    def record_suspect(self, suspect: Suspect) -> None:
        """Keep that a worker's report was proved wrong, with those kept of it before."""

    def secret(self) -> bytes:
        """Return the web tier's secret: 32 random bytes, made by the first call of all.

        It never changes again, and every later call returns the same, in each process.  The roles
        of workers and autoscalers may not read it.

        Raises:
            InvalidMessage: if what is stored is no such secret.
        """

    def report_progress(self, job: str, attempt: str, found: int, *, now: float) -> None:
        """Say how many points of its series an attempt has found; only a higher number is heard.

        A hint for people, kept apart from the job and changing nothing of it.

        Args:
            job: the job.
            attempt: the attempt that is computed.
            found: how many points.
            now: the time, after which it is kept for as long as an ended job.
        """

    def read_progress(self, attempts: Mapping[str, str]) -> dict[str, int]:
        """How many points were told of, by job; those of which nobody told are left out.

        Args:
            attempts: by job.
        """

    def unfinished(self) -> list[str]:
        """Ids of unfinished jobs, from an index that may lag: read each before acting on it."""

    def count_unfinished(self, client: str) -> int:
        """How many of a client's jobs have not ended, from an index that may lag."""

    def recent(self, client: str, *, limit: int, cursor: str | None = None) -> Page:
        """A client's jobs, the newest first, from an index that may lag.

        Raises:
            InvalidJob: if the cursor is not one of ours.
        """


class ObjectStore(Protocol):
    """S3: whole objects by key; reads see every earlier write."""

    def put_new(self, key: str, data: bytes, *, content_type: str) -> bool:
        """Store an object that is never changed again.

        Returns:
            False if the key is taken: the object was there before, or an earlier try stored it.
        """

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None if there is none."""

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """Some of an object's bytes, or None if there is no object.

        Args:
            key: the object's.
            start: the first byte.
            length: how many, at least 1; what lies behind the object's end is left out.
        """


class Cache(Protocol):
    """memcached: quick, and forgetful at any moment.

    No call raises for a cache that is away: reads miss, writes are forgotten.
    """

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """The values that are there, by key."""

    def set(self, key: str, value: bytes, *, seconds: int) -> None:
        """Keep a value for up to `seconds`."""

    def delete(self, key: str) -> None:
        """Forget a value."""


class Topic(Protocol):
    """SNS: each message goes to all who subscribe, at least once, in no order."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Send messages, any number of them, in as few calls as can be.

        One that raises may have sent some of them.
        """
