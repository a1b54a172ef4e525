"""Bounds each point of a small box: to be compiled.

The near atoms are summed over each point, and the field is evaluated.  1/r is the v1 of
`app_tier.kinds.grid.kernels.sum.compiled_row_loops`, within 1.2e-4, for r^2 >= `LEAST`.  A point
with a lesser r^2 of some atom has no bound, but if it surely does not qualify, it is dropped:
where r^2 is zero, as the squares of all three differences are, fused with a sum or not; and where
it is below min_distance^2 by far more than its rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.numba_compile import compiled
from app_tier.kinds.grid.kernels.search.compiled_field import value
from app_tier.kinds.grid.kernels.search.compiled_state import COST, ERROR, OPEN, SIZE, SLACK, UPPER
from app_tier.kinds.grid.kernels.search.nearest_points import LESS
from app_tier.kinds.grid.kernels.search.source_tree import WIDER
from app_tier.kinds.grid.kernels.sum.compiled_row_loops import LEAST, first_guess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.search.compiled_state import ScratchBuffers, SearchPath, Tree

_PAIR_COST: Final = 0.27  #: of a point and an atom, in nanoseconds, measured and rounded up
NEAR_ERROR: Final = 2e-4  #: relative, of 1/r at a point and of its sum


def _is_inside(zones: NDArray[np.float64], x: float, y: float, z: float) -> bool:
    """Return whether a point surely lies in a zone."""
    for n in range(len(zones)):
        dx, dy, dz = x - zones[n, 0], y - zones[n, 1], z - zones[n, 2]
        if dx * dx + dy * dy + dz * dz < zones[n, 3]:
            return True
    return False


is_inside = compiled(_is_inside)


def _add_atoms(
    table: NDArray[np.float64],
    chosen: NDArray[np.int32],
    points: NDArray[np.float64],
    count: int,
    sums: NDArray[np.float64],
    least: NDArray[np.float64],
    softening: float,
) -> None:
    """Add atoms to the sums of e / max(r, softening) at some points; lower their least r^2."""
    px, py, pz = points[0], points[1], points[2]
    soft = softening * softening
    for s in chosen:
        x, y, z, e = table[0, s], table[1, s], table[2, s], table[3, s]
        for k in range(count):
            dx, dy, dz = px[k] - x, py[k] - y, pz[k] - z
            u = dx * dx + dy * dy + dz * dz
            least[k] = min(least[k], u)
            u = max(u, soft)
            v = first_guess(u)
            h = 1.0 - u * v * v
            sums[k] += e * (v + v * h * (0.5 + 0.375 * h))


add_atoms = compiled(_add_atoms)


def _write_points(tree: Tree, path: SearchPath, desk: ScratchBuffers) -> int:
    """Write a small box's points and their linear indices; return how many."""
    box = path.boxes[path.counts[OPEN], 1:]
    n = 0
    for ix in range(box[0], box[3]):
        for iy in range(box[1], box[4]):
            for iz in range(box[2], box[5]):
                desk.points[0, n], desk.points[1, n] = tree.x[ix], tree.y[iy]
                desk.points[2, n] = tree.z[iz]
                path.hits[n] = (ix * len(tree.y) + iy) * len(tree.z) + iz
                n += 1
    return n


write_points = compiled(_write_points)


def _try_points(
    tree: Tree, path: SearchPath, desk: ScratchBuffers, lists: NDArray[np.int32], level: int
) -> int:
    """Bound each point of a small box, and keep those that may be the least; return how many."""
    plus, minus, nearest = desk.totals[0], desk.totals[1], desk.totals[2]
    plus[:] = 0.0
    minus[:] = 0.0
    nearest[:] = np.inf
    start, middle, end = path.near[level, 0], path.near[level, 1], path.near[level, 2]
    count = write_points(tree, path, desk)
    add_atoms(tree.table, lists[start:middle], desk.points, count, plus, nearest, tree.softening)
    add_atoms(tree.table, lists[middle:end], desk.points, count, minus, nearest, tree.softening)
    path.numbers[COST] += _PAIR_COST * count * (end - start)
    field = desk.field
    margin = field[ERROR] * WIDER + path.numbers[SLACK] * field[SIZE]
    hits = 0
    for k in range(count):
        if nearest[k] < tree.min_distance * tree.min_distance * LESS or (
            nearest[k] == 0.0 and tree.softening == 0.0
        ):
            continue
        x = desk.points[0, k] - desk.centre[0]
        y = desk.points[1, k] - desk.centre[1]
        z = desk.points[2, k] - desk.centre[2]
        bound = value(field, x, y, z) - margin
        bound += plus[k] * (1.0 - NEAR_ERROR) + minus[k] * (1.0 + NEAR_ERROR)
        if not np.isfinite(bound) or (nearest[k] < LEAST and tree.softening == 0.0):
            bound = -np.inf
        if bound <= path.numbers[UPPER] and not is_inside(
            tree.zones, desk.points[0, k], desk.points[1, k], desk.points[2, k]
        ):
            path.hits[hits] = path.hits[k]
            path.hit_lowers[hits] = bound
            hits += 1
    return hits


try_points = compiled(_try_points)
