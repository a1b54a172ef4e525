"""What a compute process does with a chunk, by the kind that its message names.

The queue, the lease and the fleet know nothing of what a chunk computes: another kind of work is
another entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kernels import find_minimum, potential_map
from app_tier.kernels.kernel import Progress
from gridwell.domain.grid import Box
from gridwell.domain.messages import MAP_KIND, MINIMUM_KIND
from gridwell.domain.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from gridwell.domain.minimum import Minimum


@dataclass(frozen=True, slots=True)
class Found:
    """What a chunk's computing gave."""

    best: Minimum | None  #: None: no point qualified
    map: NDArray[np.float64] | None = None  #: to be kept: the box's potentials


#: Takes the problem, the chunk's box, a likely point and a progress callback.
Handler = Callable[[Problem, Box, int | None, Progress], Found]


def minimum(problem: Problem, box: Box, incumbent: int | None, progress: Progress) -> Found:
    """The least potential of the box and the incumbent."""
    return Found(_minimum(problem, box, incumbent, progress))


def whole_map(problem: Problem, box: Box, incumbent: int | None, progress: Progress) -> Found:
    """The potentials of the box, and the same minimum as every other kind gives.

    The map only tells where to look first: its values are rounded, and the minimum is exact.
    """
    found = potential_map(
        problem.grid,
        problem.atoms,
        box,
        min_distance=problem.min_distance,
        softening=problem.softening,
        progress=progress,
    )
    if np.isfinite(found).any():
        places = np.unravel_index(np.nanargmin(found), found.shape)
        ix, iy, iz = (int(at) + low for at, low in zip(places, box.low, strict=True))
        incumbent = problem.grid.linear(ix, iy, iz)
    return Found(_minimum(problem, box, incumbent, progress), found)


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


HANDLERS: Final[Mapping[str, Handler]] = {MINIMUM_KIND: minimum, MAP_KIND: whole_map}
