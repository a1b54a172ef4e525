"""What the grid kinds keep of a job, with their own types.  Pure.

The engine keeps it for them and never looks in; all that knows a grid asks here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from gridwell.kinds.grid.chunking import Chunking
    from gridwell.kinds.grid.grid import Grid
    from gridwell.kinds.grid.minimum import Minimum
    from gridwell.kinds.grid.series import Series


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
        return self.job.best

    @property
    def result(self) -> Minimum | None:
        """The least potential of a done job."""
        return self.job.result

    @property
    def points(self) -> tuple[Minimum, ...]:
        """The points of a series, in the order in which they were found."""
        return self.job.points

    @property
    def answer(self) -> tuple[Minimum, ...]:
        """The points of a done job; of one without a series only the least."""
        result = self.result
        return () if result is None else self.points or (result,)

    @property
    def found(self) -> int:
        """Points of a series that are known to be found."""
        return self.job.found

    @property
    def points_done(self) -> int:
        """Grid points whose task is merged."""
        return self.chunking.points(self.job.done)


def grid_view(job: Job) -> GridView:
    """Return a job of one of the grid kinds with their own types.

    Raises:
        InvalidMessage: if it is a job of another kind, or damaged.
    """
    return GridView(
        job=job,
        grid=job.grid,
        atom_count=job.atom_count,
        seed=job.seed,
        min_distance=job.min_distance,
        softening=job.softening,
        series=job.series,
        chunking=job.plan,
    )
