"""A job in words: its page and its line in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.engine.job import Job, JobError, JobState
from gridwell.engine.read_jobs import counted
from gridwell.kinds.grid import cost
from gridwell.kinds.grid.formats import MAP_FORMATS
from gridwell.kinds.grid.job_view import GridView, grid_view
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND
from gridwell.kinds.grid.series import Series
from web_tier.kind import JobSummary
from web_tier.kinds.grid.present import has_map
from web_tier.pages.formatting import ago, duration, iso, money, rounded, short, triple

if TYPE_CHECKING:
    from gridwell.kinds.grid.atoms import Atoms

_LISTED_WORKERS: Final = 4
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Something to fetch; with a file's name it is stored and not shown."""

    words: str
    href: str
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """The minimum."""

    value: str
    point: str
    index: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointView:
    """One point of a series."""

    number: int
    point: str
    value: str
    energy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One job's page."""

    id: str
    attempt: str
    state: str
    ended: bool
    cancellable: bool
    renewable: bool
    title: str
    error: JobError | None
    result: ResultView | None
    points: tuple[PointView, ...]
    points_words: str
    ions: bool
    nearest: str | None
    seconds: str
    computed_by: str
    cost: str
    progress_total: int
    progress_done: int
    percent: str
    counts: str
    rate: str
    grid: str
    placing: str
    atoms: str
    options: str
    created: str
    created_words: str
    problem: str
    picture_words: str
    marked: str
    downloads: tuple[Link, ...]


def job_summary(job: Job) -> JobSummary:
    """Return a job's line in a list."""
    view = grid_view(job)
    return JobSummary(
        subject=f"{_shape(view.grid.shape)}, {counted(view.atom_count, 'atom')}",
        answer="" if view.result is None else f"{view.result.value:.6g}",
    )


def job_view(job: Job, atoms: Atoms | None, *, now: float, dollars_per_hour: float) -> JobView:
    """Return a job's page.

    Args:
        job: the job.
        atoms: its atoms, where they are at hand and few enough to look through.
        now: the time.
        dollars_per_hour: of one instance.
    """
    view = grid_view(job)
    grid, result = view.grid, view.result
    done, total, counts = _progress(view)
    estimate = cost.seconds(
        grid.shape, view.atom_count, job.kind, view.series, min_distance=view.min_distance
    )
    path = f"/v1/jobs/{job.id}"
    links = [
        Link(words="Job (JSON)", href=path),
        Link(words="Atoms (CSV)", href=f"{path}/atoms?format=csv", file=f"{job.id[:8]}-atoms.csv"),
    ]
    if job.state is JobState.DONE:
        record = Link(words="Record", href=f"{path}/record", file=f"{job.id[:8]}-record.json")
        links.append(record)
        links += _point_files(view, path)
    if has_map(job):
        links += [
            Link(words=f"Map (.{suffix})", href=f"{path}/grid.{suffix}") for suffix in MAP_FORMATS
        ]
        links.append(Link(words="Map (.csv)", href=f"{path}/points.csv"))
    return JobView(
        id=job.id,
        attempt=job.attempt,
        state=job.state.value,
        ended=job.state.terminal,
        cancellable=not job.state.terminal,
        renewable=job.renewable(now),
        title=f"{_shape(grid.shape)} points, {counted(view.atom_count, 'atom')}",
        error=job.error,
        result=None
        if result is None
        else ResultView(
            value=repr(result.value),
            point=triple(grid.point(result.index)),
            index=", ".join(map(str, grid.triple(result.index))),
        ),
        points=() if view.series is None else _points(view),
        points_words=_points_words(view),
        ions=view.series is not None and view.series.ion != 0,
        nearest=None if atoms is None or result is None else _nearest(view, atoms),
        seconds="" if job.finished is None else duration(job.finished - job.created),
        computed_by=_computed_by(job),
        cost=_cost(estimate, dollars_per_hour),
        progress_total=total,
        progress_done=done,
        percent=f"{100 * done // total} %",
        counts=counts,
        rate=f"about {duration(estimate)} of computing on one core"
        if not job.state.terminal
        else "",
        grid=f"{_shape(grid.shape)} = {grid.points:,} points",
        placing=f"({triple(grid.origin)}), ({triple(grid.spacing)})",
        atoms=f"{view.atom_count:,}"
        + ("" if view.seed is None else f", drawn with seed {view.seed}"),
        options=_options(view),
        created=iso(job.created),
        created_words=ago(job.created, now),
        problem=job.spec,
        picture_words=_picture_words(view),
        marked=_marked(view),
        downloads=tuple(links),
    )


def _progress(view: GridView) -> tuple[int, int, str]:
    """How far a job has come, out of how much, and that in words.

    Of a series the points that are found count, as its only chunk says nothing before its end.
    """
    series, done, total = view.series, view.points_done, view.grid.points
    if series is None or series.count == 1:
        chunks = f"{len(view.job.done)} of {view.chunking.chunks} chunks"
        return done, total, f"{done:,} of {total:,} points, {chunks}"
    what = "ion" if series.ion else "point"
    if view.job.state.terminal or view.found == series.count:
        ended = series.count if view.job.state is JobState.DONE else view.found
        return ended, series.count, f"{view.found} of {series.count} {what}s"
    return view.found, series.count, f"{what} {view.found + 1} of {series.count}"


def estimate_words(
    shape: tuple[int, int, int],
    atoms: int,
    *,
    kind: str = MINIMUM_KIND,
    series: Series | None = None,
    min_distance: float = 0.0,
    dollars_per_hour: float,
) -> str:
    """What a job would cost, before it is submitted."""
    points = shape[0] * shape[1] * shape[2]
    seconds = cost.seconds(shape, atoms, kind, series, min_distance=min_distance)
    chunks = cost.chunk_count(shape, atoms, kind, series)
    words = [
        f"{_shape(shape)} = {points:,} points and {counted(atoms, 'atom')}",
        f"{short(float(points) * atoms)} pairs in {counted(chunks, 'chunk')}",
        "" if series is None else f"{series.count} points, one after the other",
        f"about {duration(seconds)} of computing",
        _cost(seconds, dollars_per_hour),
    ]
    return ", ".join(filter(None, words))


def _cost(seconds: float, dollars_per_hour: float) -> str:
    """What so many seconds of an instance cost; empty where nobody said what one costs."""
    return money(seconds / _HOUR * dollars_per_hour) if dollars_per_hour else ""


def _shape(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))


def _nearest(view: GridView, atoms: Atoms) -> str | None:
    """The atom that is nearest to the minimum, and how far away it is."""
    if view.result is None:
        return None
    away = np.linalg.norm(atoms.positions - np.array(view.grid.point(view.result.index)), axis=1)
    place = int(away.argmin())
    return (
        f"number {place + 1}, of energy {float(atoms.energies[place])!r}, "
        f"{float(away[place]):.6g} away"
    )


def _computed_by(job: Job) -> str:
    names = sorted(worker.rsplit("/", 1)[-1] for worker in job.workers)
    if not names:
        return "nobody: the answer was known"
    more = len(names) - _LISTED_WORKERS
    listed = ", ".join(names[:_LISTED_WORKERS])
    return f"{listed} and {more} more instances" if more > 0 else listed


def _options(view: GridView) -> str:
    words = []
    if view.min_distance:
        words.append(f"no point nearer than {view.min_distance!r} to an atom")
    if view.softening:
        words.append(f"distances below {view.softening!r} count as that")
    if view.series is not None:
        words.append(_series_words(view.series))
    if view.job.kind == MAP_KIND:
        words.append("the whole map is kept")
    return "; ".join(words)


def _point_files(view: GridView, path: str) -> list[Link]:
    """What a series can be stored as."""
    if view.series is None:
        return []
    name = view.job.id[:8]
    points = Link(words="Points (CSV)", href=f"{path}/points.csv", file=f"{name}-points.csv")
    ions = Link(words="Ions (PDB)", href=f"{path}/ions.pdb", file=f"{name}-ions.pdb")
    return [points, ions] if view.series.ion else [points]


def _series_words(series: Series) -> str:
    what = f"{series.count} points"
    if series.ion:
        ions = "ion" if series.count == 1 else "ions"
        what = f"{series.count} {ions} of energy {series.ion:+d}, placed one after the other"
    if series.min_separation:
        what += f", none nearer than {series.min_separation!r} to another"
    return what


def _points(view: GridView) -> tuple[PointView, ...]:
    series = view.series or Series(1)
    return tuple(
        PointView(
            number=number,
            point=rounded(view.grid.point(found.index)),
            # Of an ion the energy has every bit, and the potential the same digits but its sign.
            value=f"{potential:.10g}" if series.ion else repr(potential),
            energy=repr(found.value) if series.ion else "",
        )
        for number, found in enumerate(view.answer, start=1)
        for potential in [series.potential_of(found.value)]
    )


def _points_words(view: GridView) -> str:
    """Whether there are as many points as were wanted; empty: nothing is to be said."""
    wanted, found = 1 if view.series is None else view.series.count, len(view.answer)
    if view.job.state is not JobState.DONE or found == wanted:
        return ""
    return f"{found} of the {wanted} that were wanted: no other point qualifies"


def _marked(view: GridView) -> str:
    """What stands out in the picture."""
    if view.series is None or (view.series.count == 1 and not view.series.ion):
        return "minimum"
    what = "ion" if view.series.ion else "point"
    return what if view.series.count == 1 else f"{what}s"


def _picture_words(view: GridView) -> str:
    if view.result is None:
        return "Nothing to see yet"
    return (
        f"{counted(view.atom_count, 'atom')} in the box of the grid; "
        f"the minimum is at {triple(view.grid.point(view.result.index))}"
    )
