"""Jobs in words: lines of lists, and the plain page of a job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridwell.engine.read_jobs import counted
from web_tier.api.present import plain_job
from web_tier.kind import JobSummary, PageView, presenter_of
from web_tier.pages.formatting import ago, duration, iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.engine.job import Job, JobError
    from web_tier.kind import WebKind


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One line of a list of jobs."""

    id: str
    state: str
    subject: str
    answer: str
    created: str
    created_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainJobView:
    """The page of a job of a kind without a page of its own."""

    id: str
    kind: str
    state: str
    ended: bool
    renewable: bool
    error: JobError | None
    tasks_done: int
    tasks_total: int
    counts: str
    created: str
    created_words: str
    seconds: str
    details: str  #: what its kind says of it, as JSON


def job_row(job: Job, kinds: Mapping[str, WebKind], now: float) -> JobRow:
    """Return a job in one line."""
    presenter = presenter_of(kinds, job)
    if presenter is None:
        summary = JobSummary(subject=f"{job.kind}, {counted(job.tasks, 'task')}")
    else:
        summary = presenter.summary(job)
    return JobRow(
        id=job.id,
        state=job.state.value,
        subject=summary.subject,
        answer=summary.answer,
        created=iso(job.created),
        created_words=ago(job.created, now),
    )


def job_page(
    job: Job, kinds: Mapping[str, WebKind], *, now: float, dollars_per_hour: float
) -> PageView:
    """Return a job's page: its kind's own, or the plain one."""
    presenter = presenter_of(kinds, job)
    if presenter is not None:
        return presenter.page(job, now=now, dollars_per_hour=dollars_per_hour)
    shown = plain_job(job, kinds)
    done, total = shown.progress.tasks_done, shown.progress.tasks_total
    view = PlainJobView(
        id=job.id,
        kind=job.kind,
        state=job.state.value,
        ended=job.state.terminal,
        renewable=job.kind in kinds and job.renewable(now),
        error=job.error,
        tasks_done=done,
        tasks_total=total,
        counts=f"{done:,} of {counted(total, 'task')}",
        created=iso(job.created),
        created_words=ago(job.created, now),
        seconds="" if job.finished is None else duration(job.finished - job.created),
        details=json.dumps(shown.details, indent=2),
    )
    return PageView(template="job.html", variables={"view": view})
