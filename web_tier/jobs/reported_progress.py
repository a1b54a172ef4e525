"""How far workers say that series are, joined to the jobs that are shown."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from gridwell.engine.errors import GridwellError
from gridwell.engine.job import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.engine.job import Job
    from gridwell.engine.ports import JobLedger

logger = logging.getLogger(__name__)


def with_progress(ledger: JobLedger, jobs: Iterable[Job]) -> list[Job]:
    """The same jobs; of an unfinished series with the number of points that its worker told of.

    One of which a point was found is shown as running: its only result comes at the end.  What
    cannot be read is left out, as it is only a hint.
    """
    jobs = list(jobs)
    series = {job.id: job.attempt for job in jobs if job.series and not job.state.terminal}
    if not series:
        return jobs
    try:
        told = ledger.read_progress(series)
    except GridwellError as error:
        logger.warning(
            "how far %d series are cannot be read: %s",
            len(series),
            error,
            extra={"action": "series.untold"},
        )
        return jobs
    return [
        replace(job, reported=told[job.id], state=JobState.RUNNING)
        if job.id in series and told.get(job.id)
        else job
        for job in jobs
    ]
