"""Jobs in DynamoDB: every write is one conditional expression.

The expressions are those of `docs/reference/protocol.md`; names stand as ``#name`` throughout,
as `state`, `error` and `plan` are among DynamoDB's reserved words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gridwell.adapters.dynamodb import page_cursor
from gridwell.adapters.dynamodb.audit_log import DynamoAuditLog
from gridwell.adapters.dynamodb.items_of_release_0_1 import PERMANENT_CODE
from gridwell.adapters.dynamodb.job_items import (
    SHARDS,
    binary,
    counts_map,
    decode_job,
    digest_attribute,
    encode_job,
    error_map,
    job_key,
    job_of_key,
    number,
    number_set,
    text,
    text_set,
    texts,
)
from gridwell.adapters.dynamodb.secret import SecretItem, new_secret
from gridwell.adapters.dynamodb.suspects import SuspectItems
from gridwell.adapters.dynamodb.table import Table
from gridwell.adapters.dynamodb.task_blocks import BlockItems
from gridwell.adapters.dynamodb.task_failures import FailureItems
from gridwell.adapters.dynamodb.task_progress import FoundItems
from gridwell.engine.job import UNFINISHED, JobState, credit, expiry
from gridwell.engine.ports import NO_DIGESTS, Page
from gridwell.engine.task_set import NO_TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from gridwell.engine.blocks import Block, Blocks, TaskCounts
    from gridwell.engine.job import Job, JobError
    from gridwell.engine.register import Best
    from gridwell.engine.replica import Replica
    from gridwell.engine.task_failure import ChunkFailure, Suspect
    from gridwell.engine.task_set import TaskSet

_ABSENT: Final = "attribute_not_exists(#pk)"
#: `Job.renewable`, as a condition.
_RENEWABLE: Final = (
    "#attempt = :seen AND (#state = :cancelled OR #expires < :now OR (#state = :failed AND "
    "(attribute_not_exists(#error) OR (attribute_not_exists(#error.#permanent) AND "
    "#error.#code <> :permanent))))"
)
_LIVE: Final = "#state IN (:queued, :running) AND #attempt = :attempt"
_MERGE: Final = (
    "ADD #done :chunks, #workers :workers, #credits :credits SET #state = :running, #moved = :now"
)
_RECORD: Final = "SET #state = :running, #moved = :now"
_FINISH_TASKS: Final = (
    "SET #state = :state, #counts = :counts, #finished = :now, #expires = :expires "
    "REMOVE #unfinished"
)
_HOLD: Final = "ADD #opinions :opinions SET #state = :running"
_RESTART: Final = (
    "SET #attempt = :fresh, #state = :queued, #resends = :none, #moved = :now "
    "ADD #run :one, #refusals :one "
    "REMOVE #done, #credits, #opinions, #workers, #best, #best_by, #points, #sent_at, #resend_at, "
    "#failed, #full, #counts"
)
_FINISH: Final = (
    "SET #state = :done, #result = :result, #finished = :now, #expires = :expires "
    "REMOVE #unfinished"
)
_PAYLOAD: Final = ", #points = :points"
_FINISH_PAYLOAD: Final = _FINISH.replace(" REMOVE", f"{_PAYLOAD} REMOVE")
_CANCEL: Final = "SET #state = :cancelled, #finished = :now, #expires = :expires REMOVE #unfinished"
_FAIL: Final = (
    "SET #state = :failed, #error = :error, #finished = :now, #expires = :expires "
    "REMOVE #unfinished"
)


class DynamoJobLedger:
    """Keeps the promises of `gridwell.engine.ports.JobLedger`.

    Args:
        client: of DynamoDB.
        table: the ledger table's name.
        draw_secret: gives the secret that is stored where there is none yet.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        draw_secret: Callable[[], bytes] = new_secret,
    ) -> None:
        self.audit = DynamoAuditLog(client, table)
        self._table = Table(client, table)
        self._secret = SecretItem(self._table, draw_secret)
        self._suspects = SuspectItems(self._table)
        self._failures = FailureItems(self._table)
        self._found = FoundItems(self._table)
        self._blocks = BlockItems(self._table)

    def create(self, job: Job, *, replaces: Job | None = None) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        condition, values = _ABSENT, {}
        if replaces is not None:
            condition = f"{_ABSENT} OR ({_RENEWABLE})"
            values = {
                "seen": text(replaces.attempt),
                "cancelled": text(JobState.CANCELLED),
                "failed": text(JobState.FAILED),
                "permanent": text(PERMANENT_CODE),
                "now": number(job.created),
            }
        stored, against = self._table.put(encode_job(job), condition, values)
        # A put whose reply was lost meets itself when it is tried again.
        return stored or (against is not None and against["attempt"] == text(job.attempt))

    def read(self, job: str) -> Job | None:
        """See `gridwell.engine.ports.JobLedger`."""
        item = self._table.get(job_key(job))
        return None if item is None else decode_job(item)

    def read_many(self, jobs: Iterable[str]) -> dict[str, Job]:
        """See `gridwell.engine.ports.JobLedger`."""
        items = self._table.get_many(job_key(job) for job in jobs)
        return {job.id: job for job in map(decode_job, items)}

    def mark_sent(self, job: str, attempt: str, *, sent_at: float, resend_at: float) -> None:
        """See `gridwell.engine.ports.JobLedger`."""
        self._table.update(
            job_key(job),
            "SET #sent_at = :sent_at, #resend_at = :resend_at",
            "#attempt = :attempt AND attribute_not_exists(#sent_at)",
            {
                "attempt": text(attempt),
                "sent_at": number(sent_at),
                "resend_at": number(resend_at),
            },
        )

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
        key = job_key(job)
        merge = _MERGE + _set_digests(attempt, digests)
        values = _live(attempt) | {
            "chunks": number_set(tasks),
            "workers": text_set(frozenset({worker})),
            "credits": number_set(frozenset(credit(task, worker) for task in tasks)),
            "now": number(now),
            **{f"digest{task}": binary(bytes.fromhex(digest)) for task, digest in digests.items()},
        }
        if best is not None:
            merged, item = self._table.update(
                key,
                f"{merge}, #best = :best, #best_by = :worker{_PAYLOAD if best.payload else ''}",
                f"{_LIVE} AND (attribute_not_exists(#best) OR #best > :best)",
                values | {"best": text(best.key), "worker": text(worker)} | _payload(best),
            )
            if merged and item is not None:
                return decode_job(item)
            if not _is_live(item, attempt):
                return None
        # Without a lesser register.  The stored one only ever falls, so that this cannot be late.
        merged, item = self._table.update(key, merge, _LIVE, values)
        return decode_job(item) if merged and item is not None else None

    def finish(
        self,
        job: str,
        attempt: str,
        result: Best,
        *,
        now: float,
    ) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        closed, item = self._table.update(
            job_key(job),
            _FINISH_PAYLOAD if result.payload else _FINISH,
            "#state = :running AND #attempt = :attempt "
            "AND attribute_exists(#done) AND size(#done) = #n",
            {
                "done": text(JobState.DONE),
                "running": text(JobState.RUNNING),
                "attempt": text(attempt),
                "result": text(result.key),
                "now": number(now),
                "expires": number(expiry(now)),
            }
            | _payload(result),
        )
        if closed or item is None:
            return closed
        return (item["state"], item["attempt"], item.get("result")) == (
            text(JobState.DONE),
            text(attempt),
            text(result.key),
        )

    def hold(self, job: str, attempt: str, replica: Replica) -> Job | None:
        """See `gridwell.engine.ports.JobLedger`."""
        values = _live(attempt) | {"opinions": text_set(frozenset({replica.encode()}))}
        held, item = self._table.update(job_key(job), _HOLD, _LIVE, values)
        return decode_job(item) if held and item is not None else None

    def restart(self, job: str, attempt: str, fresh: str, *, now: float) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        values = _live(attempt) | {
            "fresh": text(fresh),
            "none": number(0),
            "one": number(1),
            "now": number(now),
        }
        restarted, item = self._table.update(job_key(job), _RESTART, _LIVE, values)
        # Tried again after a lost reply, or by another collector, which draws the same attempt.
        return restarted or (item is not None and item["attempt"] == text(fresh))

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
        values = _live(attempt) | {
            "failed": text(JobState.FAILED),
            "error": error_map(error),
            "now": number(now),
            "expires": number(expiry(now)),
        }
        condition = _LIVE
        if unless_done is not None:
            condition += " AND NOT contains(#done, :chunk)"
            values["chunk"] = number(unless_done)
        if past_deadline:
            condition += " AND #deadline < :now"
        closed, item = self._table.update(job_key(job), _FAIL, condition, values)
        if closed or item is None:
            return closed
        # Tried again after a lost reply: this very call has closed it already.
        ours = ("state", "failed"), ("attempt", "attempt"), ("error", "error"), ("finished", "now")
        return all(item.get(name) == values[value] for name, value in ours)

    def cancel(self, job: str, attempt: str, *, now: float) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        values = _live(attempt) | {
            "cancelled": text(JobState.CANCELLED),
            "now": number(now),
            "expires": number(expiry(now)),
        }
        closed, item = self._table.update(job_key(job), _CANCEL, _LIVE, values)
        if closed or item is None:
            return closed
        return (item["state"], item["attempt"]) == (values["cancelled"], values["attempt"])

    def claim_resend(self, job: str, attempt: str, *, seen: float | None, later: float) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        values = _live(attempt) | {"later": number(later), "one": number(1)}
        condition = f"{_LIVE} AND attribute_not_exists(#resend_at)"
        if seen is not None:
            condition = f"{_LIVE} AND #resend_at = :seen"
            values["seen"] = number(seen)
        # Won and not told, after a lost reply, counts as lost: the next round sends.
        won, _ = self._table.update(
            job_key(job), "SET #resend_at = :later ADD #resends :one", condition, values
        )
        return won

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
        """See `gridwell.engine.ports.JobLedger`."""
        sets = {"done": done, "failed": failed, "cancelled": cancelled}
        return self._blocks.settle(job, attempt, blocks, sets, expires=expires)

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
        added = {"done": done, "failed": failed, "full": full}
        values = {name: number_set(numbers) for name, numbers in added.items() if numbers}
        if workers:
            values["workers"] = text_set(workers)
        change = _RECORD if counts is None else f"{_RECORD}, #counts = :counts"
        if values:
            change += " ADD " + ", ".join(f"#{name} :{name}" for name in values)
        if counts is not None:
            values["counts"] = counts_map(counts)
        values |= _live(attempt) | {"now": number(now)}
        recorded, item = self._table.update(job_key(job), change, _LIVE, values)
        return decode_job(item) if recorded and item is not None else None

    def finish_tasks(
        self, job: Job, counts: TaskCounts, *, now: float, error: JobError | None = None
    ) -> bool:
        """See `gridwell.engine.ports.JobLedger`."""
        sets = {"done": job.done, "failed": job.failed, "full": job.full}
        state = text(JobState.DONE if error is None else JobState.FAILED)
        values = {
            "state": state,
            "counts": counts_map(counts),
            "running": text(JobState.RUNNING),
            "attempt": text(job.attempt),
            "now": number(now),
            "expires": number(expiry(now)),
        }
        if not job.complete:
            return False
        condition = "#state = :running AND #attempt = :attempt"
        for name, kept in sets.items():
            if kept:
                condition += f" AND size(#{name}) = :{name}"
                values[name] = number(len(kept))
            else:
                condition += f" AND attribute_not_exists(#{name})"
        change = _FINISH_TASKS
        if error is not None:
            change = change.replace(" REMOVE", ", #error = :error REMOVE")
            values["error"] = error_map(error)
        closed, item = self._table.update(job_key(job.id), change, condition, values)
        if closed or item is None:
            return closed
        ours = "state", "attempt", "counts", "error"
        return all(item.get(name) == values.get(name) for name in ours)

    def read_blocks(
        self, job: str, attempt: str, blocks: Blocks, numbers: Iterable[int] | None = None
    ) -> tuple[Block, ...]:
        """See `gridwell.engine.ports.JobLedger`."""
        return self._blocks.read(job, attempt, blocks, numbers)

    def record_failure(self, failure: ChunkFailure) -> ChunkFailure:
        """See `gridwell.engine.ports.JobLedger`."""
        return self._failures.record(failure)

    def read_failure(self, job: str, attempt: str, chunk: int) -> ChunkFailure | None:
        """See `gridwell.engine.ports.JobLedger`."""
        return self._failures.read(job, attempt, chunk)

    def record_suspect(self, suspect: Suspect) -> None:
        """See `gridwell.engine.ports.JobLedger`."""
        self._suspects.record(suspect)

    def secret(self) -> bytes:
        """See `gridwell.engine.ports.JobLedger`."""
        return self._secret.read()

    def report_progress(self, job: str, attempt: str, found: int, *, now: float) -> None:
        """See `gridwell.engine.ports.JobLedger`."""
        self._found.tell(job, attempt, found, now=now)

    def read_progress(self, attempts: Mapping[str, str]) -> dict[str, int]:
        """See `gridwell.engine.ports.JobLedger`."""
        return self._found.read(attempts)

    def unfinished(self) -> list[str]:
        """See `gridwell.engine.ports.JobLedger`."""
        return [
            job_of_key(item)
            for shard in SHARDS
            for item in self._table.query("unfinished", "unfinished", shard)
        ]

    def count_unfinished(self, client: str) -> int:
        """See `gridwell.engine.ports.JobLedger`."""
        also = {"client": client}
        return sum(
            self._table.count("unfinished", {"unfinished": shard} | also) for shard in SHARDS
        )

    def recent(self, client: str, *, limit: int, cursor: str | None = None) -> Page:
        """See `gridwell.engine.ports.JobLedger`.

        The index holds keys alone, or else each merge would be written twice.
        """
        options: dict[str, Any] = {"ScanIndexForward": False, "Limit": limit + 1}
        if cursor is not None:
            options["ExclusiveStartKey"] = page_cursor.decode(cursor, client)
        keys: list[Any] = []
        for key in self._table.query("by_client", "client", client, **options):
            keys.append(key)
            if len(keys) > limit:
                break
        page = [job_of_key(key) for key in keys[:limit]]
        found = self.read_many(page)
        return Page(
            tuple(found[job] for job in page if job in found),
            page_cursor.encode(keys[limit - 1]) if len(keys) > limit else None,
        )


def _set_digests(attempt: str, digests: Mapping[int, str]) -> str:
    """Return the change that keeps the first digest of each task's stored file."""
    names = {task: digest_attribute(attempt, task) for task in sorted(digests)}
    return "".join(
        f", #{name} = if_not_exists(#{name}, :digest{task})" for task, name in names.items()
    )


def _payload(register: Best) -> dict[str, Any]:
    """Return the value of `_PAYLOAD`, where there is one."""
    return {"points": texts(register.payload)} if register.payload else {}


def _live(attempt: str) -> dict[str, Any]:
    """The values of `_LIVE`."""
    return {
        "queued": text(JobState.QUEUED),
        "running": text(JobState.RUNNING),
        "attempt": text(attempt),
    }


def _is_live(item: Any, attempt: str) -> bool:
    """Whether an item fulfils `_LIVE`."""
    return (
        item is not None and item["attempt"] == text(attempt) and item["state"]["S"] in UNFINISHED
    )
