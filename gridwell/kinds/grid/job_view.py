"""A job of the grid kinds, with their own types.  Pure.

The engine keeps it for them and never looks in; all that knows a grid asks here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gridwell.engine.errors import GridwellError, InvalidMessage
from gridwell.engine.register import Best
from gridwell.kinds.grid.chunking import Chunking
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.engine.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class GridView:
    """A job of one of the grid kinds.

    Attributes:
        job: the job itself.
        grid: its points.
        atom_count: how many atoms its problem has.
        seed: the request's own way to write atoms, for people to read.
        min_distance: points nearer than this to an atom do not qualify.
        softening: distances below this count as this.
        series: the points that are wanted; None: the least one.
        chunking: how the grid is cut; a chunk of it is a task of the job.
    """

    job: Job
    grid: Grid
    atom_count: int
    seed: int | None
    min_distance: float
    softening: float
    series: Series | None
    chunking: Chunking

    @property
    def best(self) -> Minimum | None:
        """The least potential of the tasks that are merged."""
        return _minimum(self.job.best)

    @property
    def result(self) -> Minimum | None:
        """The least potential of a done job."""
        return _minimum(self.job.result)

    @property
    def points(self) -> tuple[Minimum, ...]:
        """The points of a series that are merged, in the order in which they were found."""
        register = self.job.result or self.job.best
        if self.series is None or register is None:
            return ()
        return tuple(map(Minimum.from_key, register.keys))

    @property
    def answer(self) -> tuple[Minimum, ...]:
        """The points of a done job; of one without a series only the least."""
        result = self.result
        return () if result is None else self.points or (result,)

    @property
    def candidate(self) -> tuple[Minimum, ...]:
        """The answer by what is merged so far: what `answer` becomes if it is true."""
        best = self.best
        return () if best is None else self.points or (best,)

    @property
    def found(self) -> int:
        """Points of a series that are known to be found."""
        register = self.job.result or self.job.best
        merged = 0 if self.series is None or register is None else len(register.keys)
        return merged or self.job.reported

    @property
    def points_done(self) -> int:
        """Grid points whose task is merged."""
        return self.chunking.points(self.job.done)


def register_of(least: Minimum, *others: Minimum, series: bool = False) -> Best:
    """Return what a job's register holds of points that were found.

    Args:
        least: the least of them.
        others: further points of a series, in the order in which they were found.
        series: whether they are a series, which is kept as the payload.
    """
    keys = tuple(point.key() for point in (least, *others))
    return Best(keys[0], keys if series else ())


def _minimum(register: Best | None) -> Minimum | None:
    return None if register is None else Minimum.from_key(register.key)


def grid_view(job: Job) -> GridView:
    """Return a job of one of the grid kinds with their own types.

    Raises:
        InvalidMessage: if it is a job of another kind, or damaged.
    """
    detail = job.detail
    try:
        origin, spacing, shape = detail["grid"]
        min_distance, softening = detail["options"]
        chunking = Chunking.decode(detail["plan"])
        _check_cuts(chunking, shape, job.tasks)
        return GridView(
            job=job,
            grid=Grid(tuple(origin), tuple(spacing), tuple(shape)),
            atom_count=detail["atom_count"],
            seed=detail.get("seed"),
            min_distance=min_distance,
            softening=softening,
            series=Series.decode(detail.get("series")),
            chunking=chunking,
        )
    except (KeyError, TypeError, ValueError, GridwellError) as error:
        raise InvalidMessage(
            f"job {job.id} of kind {job.kind} has no detail of a grid ({error!r}); it was written "
            "by hand or by another version"
        ) from error


def _check_cuts(chunking: Chunking, shape: Sequence[int], tasks: int) -> None:
    ends = [cuts[-1] for cuts in chunking.cuts]
    if chunking.chunks != tasks or ends != list(shape):
        raise ValueError(f"{chunking.chunks} chunks up to {ends}, {tasks} tasks of {shape} points")


def grid_detail(
    grid: Grid,
    chunking: Chunking,
    *,
    atom_count: int,
    seed: int | None = None,
    min_distance: float = 0.0,
    softening: float = 0.0,
    series: Series | None = None,
) -> dict[str, Any]:
    """Return what the grid kinds keep in a job, as JSON has it: what `grid_view` reads.

    Args are the fields of `GridView`.
    """
    detail: dict[str, Any] = {
        "grid": [list(grid.origin), list(grid.spacing), list(grid.shape)],
        "options": [min_distance, softening],
        "atom_count": atom_count,
    }
    if seed is not None:
        detail["seed"] = seed
    if series is not None:
        detail["series"] = series.encode()
    return detail | {"plan": chunking.encode()}
