"""Cheap tests for problems in which no point qualifies.

Rejected at submission, such a problem costs the client one round trip instead of a failed job.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.kinds.grid import limits
from gridwell.kinds.grid.potential import least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid
    from gridwell.kinds.grid.problem import Problem

NO_CANDIDATE_POINT: Final = "no_candidate_point"
NO_CANDIDATE_DETAIL: Final = (
    "every point of the grid lies on an atom or nearer to one than min_distance, so no point "
    "qualifies; move the grid, lower min_distance or give a softening"
)
_BLOCK: Final = 1 << 16  #: pairs looked at before asking whether a point was found


def has_no_candidate(problem: Problem) -> bool:
    """Return True if it is certain that no point of the grid qualifies.

    False also says "not known": the pairs of a large problem with a `min_distance` are left to the
    workers, which look at all of them anyway.
    """
    if problem.min_distance == 0:
        return problem.softening == 0 and _atoms_cover_grid(problem)
    return problem.pairs <= limits.CHECKED_PAIRS and none_qualifies(
        problem.grid,
        problem.atoms,
        min_distance=problem.min_distance,
        softening=problem.softening,
    )


def none_qualifies(
    grid: Grid,
    atoms: Atoms,
    *,
    min_distance: float,
    softening: float,
    zones: NDArray[np.float64] | None = None,
) -> bool:
    """Return True if no point qualifies, by a check of all pairs.

    Block by block, up to the first point that does: mostly the first one.
    """
    rows = max(1, _BLOCK // atoms.count)
    return all(
        least(
            grid,
            atoms,
            np.arange(start, min(start + rows, grid.points), dtype=np.int64),
            min_distance=min_distance,
            softening=softening,
            zones=zones,
        )
        is None
        for start in range(0, grid.points, rows)
    )


def _atoms_cover_grid(problem: Problem) -> bool:
    """Return True if every point lies on an atom, without a check of pairs.

    Far from zero several indices of a fine grid round to one coordinate, so places are counted
    and not indices.  An atom covers one place at most: distinct coordinates of an axis are too far
    apart for the squares of two differences to vanish both.
    """
    axes = [np.unique(problem.grid.axis(k)) for k in range(3)]
    shape = tuple(len(axis) for axis in axes)
    places = math.prod(shape)
    if places > problem.atoms.count:
        return False
    nearest = [_nearest(axis, problem.atoms.positions[:, k]) for k, axis in enumerate(axes)]
    squares = np.zeros(problem.atoms.count)
    for k, axis in enumerate(axes):
        d = axis[nearest[k]] - problem.atoms.positions[:, k]
        squares += d * d
    on_point = squares == 0
    covered = np.zeros(places, dtype=np.bool_)
    covered[np.ravel_multi_index(tuple(steps[on_point] for steps in nearest), shape)] = True
    return bool(covered.all())


def _nearest(axis: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the position in a rising axis of the coordinate nearest to each value."""
    above = np.clip(np.searchsorted(axis, values), 0, len(axis) - 1)
    below = np.maximum(above - 1, 0)
    nearer: NDArray[np.intp] = np.where(
        np.abs(values - axis[below]) < np.abs(axis[above] - values), below, above
    )
    return nearer
