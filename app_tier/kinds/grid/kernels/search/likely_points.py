"""Points of a box that are likely to be low: a first upper bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.search.nearest_points import nearest_points
from app_tier.kinds.grid.kernels.search.source_tree import ENERGY, FLOOR, PLACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.search.source_tree import SourceTree
    from gridwell.kinds.grid.grid import Box, Grid

_WELLS: Final = 24  #: with the corners 32 points
_BLOCK: Final = 1 << 13  #: atoms that are looked at together


def likely_points(grid: Grid, sources: SourceTree, box: Box) -> NDArray[np.int64]:
    """Linear indices of the box's corners and of points beside the deepest wells.

    A minimum lies beside a strong negative atom or, where all energies are positive, at the rim.
    """
    low, last = np.array(box.low), np.array(box.high) - 1
    corners = np.array(np.meshgrid(*zip(low, last, strict=True), indexing="ij")).reshape(3, -1).T
    places = [corners]
    depths = [np.full(len(corners), -np.inf)]  # all of them
    atoms = sources.negative_atoms
    for start in range(0, atoms.shape[1], _BLOCK):
        rows = atoms[:, start : start + _BLOCK]
        near = nearest_points(grid, rows[PLACE].T, box.low, box.high)
        points = np.array(grid.origin) + np.array(grid.spacing) * near
        distance = np.sqrt(((points - rows[PLACE].T) ** 2).sum(axis=1))
        depth = rows[ENERGY] / np.maximum(distance, rows[FLOOR])
        deepest = _deepest(depth, _WELLS)
        places.append(near[deepest])
        depths.append(depth[deepest])
    chosen = np.concatenate(places)[_deepest(np.concatenate(depths), len(corners) + _WELLS)]
    indices: NDArray[np.int64] = np.unique(np.ravel_multi_index(tuple(chosen.T), grid.shape))
    return indices.astype(np.int64)


def _deepest(depth: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    count = min(count, len(depth))
    return np.argpartition(depth, count - 1)[:count]
