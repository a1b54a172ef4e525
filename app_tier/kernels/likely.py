"""Points of a box that are likely to be low: a first upper bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kernels.nearest import nearest_points
from app_tier.kernels.sources import ENERGY, FLOOR, PLACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kernels.sources import Sources
    from gridwell.domain.grid import Box, Grid

_WELLS: Final = 24  #: with the corners 32 points


def likely_points(grid: Grid, sources: Sources, box: Box) -> NDArray[np.int64]:
    """Linear indices of the box's corners and of points beside the deepest wells.

    A minimum lies beside a strong negative atom or, where all energies are positive, at the rim.
    """
    low, last = np.array(box.low), np.array(box.high) - 1
    corners = np.array(np.meshgrid(*zip(low, last, strict=True), indexing="ij")).reshape(3, -1).T
    rows = sources.table[:, sources.positive :]
    rows = rows[:, sources.parts[sources.positive :] == 0]
    near = nearest_points(grid, rows[PLACE].T, box.low, box.high)
    points = np.array(grid.origin) + np.array(grid.spacing) * near
    distance = np.sqrt(((points - rows[PLACE].T) ** 2).sum(axis=1))
    depth = rows[ENERGY] / np.maximum(distance, rows[FLOOR])
    count = min(_WELLS, len(depth))
    deepest = np.argpartition(depth, count - 1)[:count] if count else np.empty(0, dtype=np.intp)
    places = np.concatenate([corners, near[deepest]])
    indices: NDArray[np.int64] = np.unique(np.ravel_multi_index(tuple(places.T), grid.shape))
    return indices.astype(np.int64)
