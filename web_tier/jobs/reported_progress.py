"""Progress that workers report within a task, joined to the jobs that are shown."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from gridwell.engine.blocks import TaskCounts
from gridwell.engine.errors import GridwellError
from gridwell.engine.job import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.engine.job import Job
    from gridwell.engine.kind import Kinds
    from gridwell.engine.ports import JobLedger

logger = logging.getLogger(__name__)


def reports_progress(job: Job, kinds: Kinds) -> bool:
    """Return whether the workers of a job report how far a task is."""
    kind = kinds.get(job.kind)
    return kind is not None and kind.reports_progress


def with_progress(ledger: JobLedger, jobs: Iterable[Job], kinds: Kinds) -> list[Job]:
    """Return the same jobs; unfinished ones with what their workers report within a task.

    One of which something was reported is shown as running: its result comes at the end.  What
    cannot be read is left out, as it is only a hint.

    Args:
        ledger: where reports are kept.
        jobs: any.
        kinds: that may report; that of others is not read.
    """
    jobs = list(jobs)
    asked = {
        job.id: job.attempt
        for job in jobs
        if not job.state.terminal and reports_progress(job, kinds)
    }
    if not asked:
        return jobs
    try:
        told = ledger.read_progress(asked)
    except GridwellError as error:
        logger.warning(
            "reported progress of %d jobs cannot be read: %s",
            len(asked),
            error,
            extra={"action": "progress.unread"},
        )
        return jobs
    return [
        replace(job, reported=told[job.id], state=JobState.RUNNING)
        if job.id in asked and told.get(job.id)
        else job
        for job in jobs
    ]


def with_counts(ledger: JobLedger, job: Job) -> Job:
    """Return the same job; an unfinished one whose tasks lie in blocks with their counts.

    Blocks that cannot be read are left out, as the counts are only a hint.
    """
    if job.blocks is None or job.state.terminal:
        return job
    try:
        found = ledger.read_blocks(job.id, job.attempt, job.blocks)
    except GridwellError as error:
        logger.warning(
            "the tasks of job %s cannot be counted: %s",
            job.id,
            error,
            extra={"action": "progress.uncounted", "job": job.id},
        )
        return job
    return replace(job, counts=sum((block.counts for block in found), TaskCounts(total=0)))
