"""Jobs and the fleet as JSON."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gridwell.fleet.billing import cost
from gridwell.fleet.history import History
from gridwell.fleet.refusal import described, remedy
from web_tier.api.models import (
    DecisionShown,
    ErrorShown,
    FleetShown,
    HistoryShown,
    InstanceShown,
    PlainJobShown,
    PlainLinksShown,
    QueueShown,
    RefusalShown,
    TaskProgressShown,
)
from web_tier.kind import presenter_of
from web_tier.waiting.event_stream import plain_step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from gridwell.engine.job import Job
    from gridwell.fleet.model import FleetView
    from web_tier.jobs.cached_jobs import Progress
    from web_tier.kind import WebKind


def show_job(job: Job, kinds: Mapping[str, WebKind]) -> BaseModel:
    """Return a job as its kind shows it, else with its tasks and details."""
    presenter = presenter_of(kinds, job)
    return plain_job(job, kinds) if presenter is None else presenter.show(job)


def plain_job(job: Job, kinds: Mapping[str, WebKind]) -> PlainJobShown:
    """Return what all jobs have, and the details of its kind, if that is known."""
    kind = kinds.get(job.kind)
    path = f"/v1/jobs/{job.id}"
    return PlainJobShown(
        id=job.id,
        kind=job.kind,
        state=job.state.value,
        details={} if kind is None else dict(kind.details(job)),
        progress=task_progress(job),
        workers=sorted(job.workers),
        attempt=job.attempt,
        run=job.run,
        error=show_error(job),
        created=utc(job.created),
        finished=None if job.finished is None else utc(job.finished),
        links=PlainLinksShown(self=path, events=f"{path}/events", page=f"/jobs/{job.id}"),
    )


def task_progress(job: Job) -> TaskProgressShown:
    """Return how many tasks ended, as far as the job says: of blocks, those that are full."""
    counts, blocks = job.counts, job.blocks
    if counts is not None:
        done, failed = counts.done, counts.failed
    elif blocks is not None:
        done, failed = sum(map(blocks.tasks_of, job.full)), 0
    else:
        done, failed = len(job.done), len(job.failed - job.done)
    return TaskProgressShown(tasks_done=done, tasks_failed=failed, tasks_total=job.tasks)


def show_step(job: Job, progress: Progress, *, kinds: Mapping[str, WebKind]) -> Mapping[str, Any]:
    """Return how far a job is, as its stream of events says it."""
    presenter = presenter_of(kinds, job)
    return plain_step(job, progress) if presenter is None else presenter.step(job, progress)


def show_error(job: Job) -> ErrorShown | None:
    """Return why a job failed, if it did."""
    return None if job.error is None else ErrorShown(code=job.error.code, detail=job.error.detail)


def show_fleet(view: FleetView | None, now: float, *, dollars_per_hour: float = 0.0) -> FleetShown:
    """Return the fleet; before the autoscaler's first look an empty one of unknown size."""
    history = History() if view is None else view.history
    # As of the view: an autoscaler that is away for a day must not make a day's bill.
    billed = 0.0 if view is None else view.bill.seconds(view.at)
    account = {
        "history": HistoryShown(**history.columns()),
        "billed_seconds": round(billed, 1),
        "cost": round(cost(billed, dollars_per_hour=dollars_per_hour), 4),
    }
    if view is None:
        return FleetShown(
            at=None,
            stale=True,
            autoscaler="",
            held="",
            instances=[],
            queue=QueueShown(visible=None, in_flight=None),
            cap=None,
            paused=False,
            refusals=[],
            decisions=[],
            **account,
        )
    return FleetShown(
        at=utc(view.at),
        stale=view.is_stale(now),
        autoscaler=view.owner,
        held=view.held,
        instances=[
            InstanceShown(
                **{
                    **dataclasses.asdict(instance),
                    "since": None if instance.since is None else utc(instance.since),
                }
            )
            for instance in view.instances
        ],
        queue=QueueShown(visible=view.queue.visible, in_flight=view.queue.in_flight),
        cap=view.cap,
        paused=view.paused,
        refusals=[
            RefusalShown(
                what=described(one),
                code=one.code,
                since=utc(one.since),
                count=one.count,
                remedy=remedy(one),
            )
            for one in view.refusals
        ],
        decisions=[
            DecisionShown(**{**dataclasses.asdict(decision), "at": utc(decision.at)})
            for decision in view.decisions
        ],
        **account,
    )


def utc(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC, in milliseconds."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
