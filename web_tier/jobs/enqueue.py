"""Sending a job's chunks to the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.engine.messages import ChunkMessage
from gridwell.kinds.grid import cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.engine.job import Job
    from gridwell.engine.ports import Queue
    from web_tier.jobs.signer import Signer

_ROUNDS: Final = 3  #: tries of a message that the queue refuses
LEAST_RESEND_SECONDS: Final = 120.0


def doubled(job: Job, chunks: Sequence[int], signer: Signer, share: float) -> list[int]:
    """Return chunks, and once more those of them that two workers compute."""
    return [*chunks, *(chunk for chunk in chunks if signer.is_doubled(job, chunk, share))]


def send_chunks(
    queue: Queue, job: Job, chunks: Sequence[int], *, signer: Signer, again: bool = False
) -> bool:
    """Queue chunk messages of a job's attempt; only refused ones are sent again.

    Args:
        queue: of chunks.
        job: the job.
        chunks: their numbers.
        signer: makes the token of each chunk.
        again: whether they are sent once more after they became dead letters.

    Returns:
        Whether the queue took all of them.  What it refused is left to the reconciler.
    """
    bodies = [
        ChunkMessage(
            kind=job.kind,
            job=job.id,
            attempt=job.attempt,
            chunk=chunk,
            plan=job.plan.sha,
            problem=job.problem,
            token=signer.token(job, chunk),
            again=again,
        ).encode()
        for chunk in chunks
    ]
    for _ in range(_ROUNDS):
        bodies = [bodies[position] for position in queue.send(bodies, group=job.client)]
        if not bodies:
            return True
    return False


def resend_seconds(job: Job) -> float:
    """How long after they were sent a job's chunk messages may first be taken for lost."""
    drain = cost.seconds(
        job.grid.shape, job.atom_count, job.kind, job.series, min_distance=job.min_distance
    )
    return max(LEAST_RESEND_SECONDS, 3 * drain)
