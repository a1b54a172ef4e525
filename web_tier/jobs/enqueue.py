"""Sending a job's chunks to the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.engine.messages import ChunkMessage
from gridwell.engine.task_set import TaskSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gridwell.engine.job import Job
    from gridwell.engine.ports import Queue
    from web_tier.jobs.signer import Signer

MAX_PACK: Final = 1000  #: tasks in a chunk: as many rows as a result has
CHUNK_SECONDS: Final = 5.0  #: of one core, that a chunk of several tasks takes at most
_ROUNDS: Final = 3  #: tries of a message that the queue refuses
LEAST_RESEND_SECONDS: Final = 120.0


def doubled(job: Job, chunks: Sequence[int], signer: Signer, share: float) -> list[int]:
    """Return chunks, and once more those of them that two workers compute."""
    return [*chunks, *(chunk for chunk in chunks if signer.is_doubled(job, chunk, share))]


def send_chunks(
    queue: Queue, job: Job, chunks: Iterable[int], *, signer: Signer, again: bool = False
) -> bool:
    """Queue chunk messages of a job's attempt; only refused ones are sent again.

    Args:
        queue: of chunks.
        job: the job.
        chunks: their numbers; each is of one task.
        signer: makes the token of each chunk.
        again: whether they are sent once more after they became dead letters.

    Returns:
        Whether the queue took all of them.  What it refused is left to the reconciler.
    """
    singles = (TaskSet.span(chunk, chunk + 1) for chunk in chunks)
    return _send(queue, job, singles, signer=signer, again=again)


def send_tasks(
    queue: Queue, job: Job, tasks: TaskSet, *, signer: Signer, pack: int, again: bool = False
) -> bool:
    """Queue tasks of a job's attempt in chunks of consecutive ones; arguments as of `send_chunks`.

    Any packing is right, and may differ from that of an earlier send.

    Args:
        queue: of chunks.
        job: the job.
        tasks: their numbers.
        signer: makes the token of each chunk.
        pack: tasks in a chunk, at most.
        again: whether they are sent once more after they became dead letters.
    """
    return _send(queue, job, tasks.pieces(pack), signer=signer, again=again)


def send_of_job(
    queue: Queue, job: Job, tasks: TaskSet, *, seconds: float, signer: Signer, share: float = 0.0
) -> bool:
    """Queue tasks of a job, in chunks as its kind of result asks for; returns as `send_chunks`.

    Args:
        queue: of chunks.
        job: the job.
        tasks: their numbers.
        seconds: estimated, of one core for all of the job's tasks.
        signer: makes the token of each chunk.
        share: of the chunks that two workers compute, where tasks leave no rows.
    """
    if job.has_rows:
        pack = pack_size(seconds / job.tasks)
        return send_tasks(queue, job, tasks, signer=signer, pack=pack)
    return send_chunks(queue, job, doubled(job, list(tasks), signer, share), signer=signer)


def pack_size(seconds: float) -> int:
    """Return how many tasks to send in a chunk, for tasks of so many seconds of one core each."""
    if seconds <= 0:
        return MAX_PACK
    return max(1, min(MAX_PACK, int(CHUNK_SECONDS / seconds)))


def _send(
    queue: Queue, job: Job, chunks: Iterable[TaskSet], *, signer: Signer, again: bool
) -> bool:
    bodies = []
    for chunk in chunks:
        run = chunk.texts()[0] if len(chunk) > 1 else None
        bodies.append(
            ChunkMessage(
                kind=job.kind,
                job=job.id,
                attempt=job.attempt,
                chunk=chunk.first,
                plan=job.plan,
                problem=job.spec,
                token=signer.token(job, chunk.first, run),
                again=again,
                tasks=run,
            ).encode()
        )
    for _ in range(_ROUNDS):
        bodies = [bodies[position] for position in queue.send(bodies, group=job.client)]
        if not bodies:
            return True
    return False


def resend_seconds(seconds: float) -> float:
    """Return how long after they were sent chunk messages may first be taken for lost.

    Args:
        seconds: of one core, that the job is estimated to take.
    """
    return max(LEAST_RESEND_SECONDS, 3 * seconds)
