"""Whether a chunk is still wanted.  Pure: the job as it was read, and the time, are passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from gridwell.engine.messages import ChunkMessage


def obsolete_reason(message: ChunkMessage, job: Job | None, now: float) -> str | None:
    """Why nobody wants a chunk's result, or None if somebody does.

    Args:
        message: the chunk's message.
        job: its job as the ledger has it; None if there is none.
        now: seconds since 1970.
    """
    if job is None:
        return "its job does not exist"
    reasons = {
        f"its job is at attempt {job.attempt}": job.attempt != message.attempt,
        f"its job is {job.state}": job.state.terminal,
        "its job is past its deadline": now > job.deadline,
        "its result is merged already": message.chunk in job.done,
        "its job has another plan": message.plan != job.plan.sha,
        "its job has another problem": message.problem != job.problem,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
