"""What submit writes into the ledger: a job as it begins, queued or done from the start."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gridwell.engine.blocks import block_size
from gridwell.engine.job import DEADLINE_SECONDS, Job, JobState, job_id

if TYPE_CHECKING:
    from gridwell.engine.kind import Ended, Work


def build_new_job(work: Work, attempt: str, client: str, seen: Job | None, now: float) -> Job:
    """Return the job of a new attempt: queued, with all of its tasks to do.

    Args:
        work: what is asked.
        attempt: 16 fresh hex digits.
        client: who asks.
        seen: the job that this attempt follows, if there is one.
        now: the time.
    """
    return Job(
        id=job_id(client, work.sha, work.kind),
        client=client,
        spec=work.sha,
        kind=work.kind,
        detail=work.detail,
        tasks=work.tasks,
        plan=work.plan,
        state=JobState.QUEUED,
        attempt=attempt,
        run=1 if seen is None else seen.run + 1,
        created=now,
        deadline=now + DEADLINE_SECONDS,
        block=block_size(work.tasks) if work.has_rows else None,
    )


def ended_job(job: Job, end: Ended, now: float) -> Job:
    """Return the job as done from the start."""
    merged = dataclasses.replace(job, done=frozenset(range(job.tasks)), best=end.best)
    return merged.done_with(end.best, now)
