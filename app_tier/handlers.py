"""What a compute process does with a chunk, by the kind that its message names.

The queue, the lease and the fleet know nothing of what a chunk computes: another kind of work is
another entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app_tier.compute import Found
from app_tier.kernels import find_minimum
from app_tier.kernels.kernel import Progress
from app_tier.kernels.ladder import Ladder
from gridwell.domain import cost
from gridwell.domain.grid import Box
from gridwell.domain.messages import MINIMUM_KIND, SERIES_KIND
from gridwell.domain.problem import Problem
from gridwell.domain.series import steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from gridwell.domain.atoms import Atoms
    from gridwell.domain.minimum import Minimum

#: Takes the problem, the chunk's box, a likely point and a progress callback.
Handler = Callable[[Problem, Box, int | None, Progress], Found]


def minimum(problem: Problem, box: Box, incumbent: int | None, progress: Progress) -> Found:
    """The least potential of the box and the incumbent."""
    return Found(
        find_minimum(
            problem.grid,
            problem.atoms,
            box,
            min_distance=problem.min_distance,
            softening=problem.softening,
            incumbent=problem.incumbent if incumbent is None else incumbent,
            progress=progress,
        )
    )


def series(problem: Problem, box: Box, incumbent: int | None, progress: Progress) -> Found:
    """The points of the problem's series, by one sum or by a search for each.

    A search is of the whole box: a next point can lie anywhere.
    """
    grid, options = (
        problem.grid,
        {
            "min_distance": problem.min_distance,
            "softening": problem.softening,
        },
    )
    if problem.series and cost.is_mapped(grid.shape, problem.atoms.count, problem.series):
        points = tuple(steps(problem, Ladder(grid, progress=progress, **options)))
        return Found(points[0] if points else None, points)

    def search(acting: Atoms, zones: NDArray[np.float64], hint: int | None) -> Minimum | None:
        if not len(zones) and incumbent is not None:
            hint = incumbent
        return find_minimum(
            grid,
            acting,
            box,
            min_distance=problem.min_distance,
            softening=problem.softening,
            zones=zones,
            incumbent=hint,
            progress=progress,
        )

    points = tuple(steps(problem, search))
    return Found(points[0] if points else None, points)


HANDLERS: Final[Mapping[str, Handler]] = {MINIMUM_KIND: minimum, SERIES_KIND: series}
