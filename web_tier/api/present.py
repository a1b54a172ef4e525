"""Jobs and the fleet as the interface shows them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gridwell.engine.job import JobState
from gridwell.engine.messages import MAP_KIND
from gridwell.fleet.billing import cost
from gridwell.fleet.history import History
from gridwell.fleet.refusal import described, remedy
from gridwell.kinds.grid.formats import MAP_FORMATS
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.series import Series
from web_tier.api.models import (
    ChunksShown,
    DecisionShown,
    ErrorShown,
    FleetShown,
    GridShown,
    HistoryShown,
    InstanceShown,
    JobShown,
    LinksShown,
    PointShown,
    ProgressShown,
    QueueShown,
    RefusalShown,
    ResultShown,
    SeriesShown,
)

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from gridwell.fleet.model import FleetView


def has_map(job: Job) -> bool:
    """Whether a job's map can be downloaded."""
    return job.kind == MAP_KIND and job.state is JobState.DONE


def show_job(job: Job) -> JobShown:
    """A job; numbers keep every bit."""
    view = grid_view(job)
    grid, result = view.grid, view.result
    path = f"/v1/jobs/{job.id}"
    return JobShown(
        id=job.id,
        state=job.state.value,
        grid=GridShown(origin=grid.origin, spacing=grid.spacing, shape=grid.shape),
        atom_count=view.atom_count,
        seed=view.seed,
        min_distance=view.min_distance,
        softening=view.softening,
        series=None if view.series is None else _series(view.series, view.found),
        progress=ProgressShown(points_done=view.points_done, points_total=grid.points),
        chunks=ChunksShown(
            done=len(job.done),
            total=job.tasks,
            cuts=view.chunking.encode(),
            finished=sorted(job.done),
        ),
        workers=sorted(job.workers),
        problem=job.problem,
        keep_grid=job.kind == MAP_KIND,
        grids=[f"{path}/grid.{suffix}" for suffix in MAP_FORMATS] if has_map(job) else [],
        attempt=job.attempt,
        run=job.run,
        result=None
        if result is None
        else ResultShown(
            minimum=result.value, index=grid.triple(result.index), point=grid.point(result.index)
        ),
        points=show_points(job),
        error=None
        if job.error is None
        else ErrorShown(code=job.error.code, detail=job.error.detail),
        created=_time(job.created),
        finished=None if job.finished is None else _time(job.finished),
        links=LinksShown(
            self=path,
            atoms=f"{path}/atoms",
            record=f"{path}/record",
            result=f"{path}/result",
            events=f"{path}/events",
            page=f"/jobs/{job.id}",
        ),
    )


def show_points(job: Job) -> list[PointShown]:
    """The points that a done job found."""
    view = grid_view(job)
    series = view.series or Series(1)
    return [
        PointShown(
            index=view.grid.triple(found.index),
            point=view.grid.point(found.index),
            value=series.potential_of(found.value),
            energy=found.value if series.ion else None,
        )
        for found in view.answer
    ]


def _series(series: Series, found: int) -> SeriesShown:
    return SeriesShown(
        count=series.count,
        min_separation=series.min_separation,
        energy=series.ion or None,
        found=found,
    )


def show_fleet(view: FleetView | None, now: float, *, dollars_per_hour: float = 0.0) -> FleetShown:
    """The fleet; before the autoscaler's first look an empty one of unknown size."""
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
        at=_time(view.at),
        stale=view.is_stale(now),
        autoscaler=view.owner,
        held=view.held,
        instances=[
            InstanceShown(
                **{
                    **dataclasses.asdict(instance),
                    "since": None if instance.since is None else _time(instance.since),
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
                since=_time(one.since),
                count=one.count,
                remedy=remedy(one),
            )
            for one in view.refusals
        ],
        decisions=[
            DecisionShown(**{**dataclasses.asdict(decision), "at": _time(decision.at)})
            for decision in view.decisions
        ],
        **account,
    )


def _time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
