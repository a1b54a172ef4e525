"""Jobs of the grid kinds as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gridwell.engine.job import JobState
from gridwell.kinds.grid.formats import MAP_FORMATS
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.names import MAP_KIND
from gridwell.kinds.grid.series import Series
from web_tier.api.present import show_error, utc
from web_tier.kinds.grid.models import (
    ChunksShown,
    GridShown,
    JobShown,
    LinksShown,
    PointShown,
    ProgressShown,
    ResultShown,
    SeriesShown,
)
from web_tier.waiting.event_stream import state_at

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from web_tier.jobs.cached_jobs import Progress


def has_map(job: Job) -> bool:
    """Return True if a job's map can be downloaded."""
    return job.kind == MAP_KIND and job.state is JobState.DONE


def show_job(job: Job) -> JobShown:
    """Return a job; numbers keep every bit."""
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
        problem=job.spec,
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
        error=show_error(job),
        created=utc(job.created),
        finished=None if job.finished is None else utc(job.finished),
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
    """Return the points that a done job found."""
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


def show_step(job: Job, progress: Progress) -> dict[str, Any]:
    """Return how far a job is, as its stream of events says it."""
    view = grid_view(job)
    series = view.series
    return {
        "state": state_at(job, progress),
        "points_done": view.chunking.points(progress.done),
        "points_total": view.grid.points,
        "finished": sorted(progress.done),
        "series": series and {"count": series.count, "found": progress.found},
    }


def _series(series: Series, found: int) -> SeriesShown:
    return SeriesShown(
        count=series.count,
        min_separation=series.min_separation,
        energy=series.ion or None,
        found=found,
    )
