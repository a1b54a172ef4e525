"""What a compute process does with a chunk, by the kind that its message names.

The queue, the lease and the fleet know nothing of what a chunk computes: another kind of work is
another entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.executor.port import Found
from app_tier.kinds.grid.kernels import find_minimum, potential_map
from app_tier.kinds.grid.kernels.sum.incremental_series import IncrementalSeries
from gridwell.engine.messages import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from gridwell.kinds.grid import cost
from gridwell.kinds.grid.grid import Box
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Progress
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.minimum import Minimum

#: To be called a few times a second with how many points of the series are found, else 0.
Moved = Callable[[int], None]
#: Takes the problem, the chunk's box, a likely point and what is called as it moves.
Handler = Callable[[Problem, Box, int | None, Moved], Found]


def minimum(problem: Problem, box: Box, incumbent: int | None, moved: Moved) -> Found:
    """The least potential of the box and the incumbent."""
    return Found(_minimum(problem, box, incumbent, _uncounted(moved)))


def series(problem: Problem, box: Box, incumbent: int | None, moved: Moved) -> Found:
    """The points of the problem's series, by one sum or by a search for each.

    A search is of the whole box: a next point can lie anywhere.
    """
    grid, min_distance, softening = problem.grid, problem.min_distance, problem.softening
    points: list[Minimum] = []

    def progress(_done: int) -> None:
        moved(len(points))

    def search(acting: Atoms, zones: NDArray[np.float64], hint: int | None) -> Minimum | None:
        if not len(zones) and incumbent is not None:
            hint = incumbent
        return find_minimum(
            grid,
            acting,
            box,
            min_distance=min_distance,
            softening=softening,
            zones=zones,
            incumbent=hint,
            progress=progress,
        )

    summed = problem.series and cost.is_summed(
        grid.shape, problem.atoms.count, problem.series, min_distance=min_distance
    )
    way = (
        IncrementalSeries(grid, min_distance=min_distance, softening=softening, progress=progress)
        if summed
        else search
    )
    for point in steps(problem, way):
        points.append(point)
        moved(len(points))
    return Found(points[0] if points else None, tuple(points))


def whole_map(problem: Problem, box: Box, incumbent: int | None, moved: Moved) -> Found:
    """The potentials of the box, and the same minimum as every other kind gives.

    The map only tells where to look first: its values are rounded, and the minimum is exact.
    """
    found = potential_map(
        problem.grid,
        problem.atoms,
        box,
        min_distance=problem.min_distance,
        softening=problem.softening,
        progress=_uncounted(moved),
    )
    if np.isfinite(found).any():
        places = np.unravel_index(np.nanargmin(found), found.shape)
        ix, iy, iz = (int(at) + low for at, low in zip(places, box.low, strict=True))
        incumbent = problem.grid.linear(ix, iy, iz)
    return Found(_minimum(problem, box, incumbent, _uncounted(moved)), map=found)


def _uncounted(moved: Moved) -> Progress:
    """What a kernel calls as it moves, where no points of a series are counted."""
    return lambda _done: moved(0)


def _minimum(
    problem: Problem, box: Box, incumbent: int | None, progress: Progress
) -> Minimum | None:
    return find_minimum(
        problem.grid,
        problem.atoms,
        box,
        min_distance=problem.min_distance,
        softening=problem.softening,
        incumbent=problem.incumbent if incumbent is None else incumbent,
        progress=progress,
    )


HANDLERS: Final[Mapping[str, Handler]] = {
    MINIMUM_KIND: minimum,
    SERIES_KIND: series,
    MAP_KIND: whole_map,
}
