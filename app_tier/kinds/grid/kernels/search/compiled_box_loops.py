"""The loop of `search.compiled_branch_and_bound`, to be compiled: what is done with a box.

A box is narrowed (`compiled_narrowing`, `compiled_field`), and then cut into parts with a bound
each (`compiled_cut`, `compiled_bounds`) or, if it is small, into its points (`compiled_points`).

**Zones** rule out boxes and points that lie in one by far more than any rounding, 2^-30 of the
square; the others are left to `app_tier.kinds.grid.kernels.sum.point_bounds`, which knows.

**Sums.**  Nothing is reordered: eight sums of each kind stand side by side, for eight parts or for
every eighth source, so that vectors of them can be added without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app_tier.kinds.grid.kernels.numba_compile import compiled
from app_tier.kinds.grid.kernels.search.compiled_cut import measure, open_parts, points_of
from app_tier.kinds.grid.kernels.search.compiled_field import move
from app_tier.kinds.grid.kernels.search.compiled_narrowing import NO_ROOM, NONE, narrow
from app_tier.kinds.grid.kernels.search.compiled_points import try_points
from app_tier.kinds.grid.kernels.search.compiled_state import (
    COST,
    HITS,
    LEFT,
    OPEN,
    POINTS,
    UNTIL,
    UPPER,
)
from app_tier.kinds.grid.kernels.search.source_tree import WIDER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.search.compiled_state import ScratchBuffers, SearchPath, Tree

#: Costs in nanoseconds, measured and rounded up.
_BOX_COST: Final = 3000.0
_SOURCE_COST: Final = 9.0
_ZONE_COST: Final = 3.0
#: What `look` returns: no box is open; enough was done; points are left; the lists need more room.
DONE, PAUSED, FOUND, FULL = range(4)


def _is_engulfed(
    zones: NDArray[np.float64], x: float, y: float, z: float, desk: ScratchBuffers
) -> bool:
    """Return True if a box about (x, y, z), of the buffers' halves, surely lies in one zone."""
    for n in range(len(zones)):
        dx = abs(x - zones[n, 0]) + desk.halves[0]
        dy = abs(y - zones[n, 1]) + desk.halves[1]
        dz = abs(z - zones[n, 2]) + desk.halves[2]
        if (dx * dx + dy * dy + dz * dz) * WIDER < zones[n, 3]:
            return True
    return False


is_engulfed = compiled(_is_engulfed)


def _look(
    tree: Tree, path: SearchPath, desk: ScratchBuffers, lists: NDArray[np.int32], lanes: int
) -> int:
    """Look at open boxes, the last first, until something is to be done elsewhere; return what.

    Args:
        tree: what is searched.
        path: where the search is; changed.
        desk: room to work in.
        lists: room for the lists of near sources.
        lanes: `PARTS`.  Were it a constant, loops over it would be unrolled before they are made
            vectors, and would not be made vectors then.
    """
    counts, numbers = path.counts, path.numbers
    while counts[OPEN] > 0:
        if numbers[COST] >= numbers[UNTIL]:
            return PAUSED
        last = counts[OPEN] - 1
        box = path.boxes[last]
        points = points_of(box[1:])
        if path.lowers[last] > numbers[UPPER]:
            counts[OPEN] = last
            counts[LEFT] -= points
            continue
        level = box[0]
        half = measure(tree, box[1:], desk)
        numbers[COST] += _ZONE_COST * len(tree.zones)
        if is_engulfed(tree.zones, desk.centre[0], desk.centre[1], desk.centre[2], desk):
            counts[OPEN] = last
            counts[LEFT] -= points
            continue
        moved = path.centres[level - 1]
        x, y = desk.centre[0] - moved[0], desk.centre[1] - moved[1]
        move(path.fields[level - 1], desk.field, x, y, desk.centre[2] - moved[2])
        # What a small box leaves near is taken apart to the atoms.
        wide = half if points > POINTS else -1.0
        looked = narrow(tree, path, desk, lists, level, half, wide, lanes)
        if looked == NO_ROOM:
            return FULL
        counts[OPEN] = last
        counts[LEFT] -= points
        numbers[COST] += _BOX_COST + _SOURCE_COST * max(looked, 0)
        if looked == NONE:
            continue
        if points > POINTS:
            open_parts(tree, path, desk, lists, level, lanes)
            continue
        counts[HITS] = try_points(tree, path, desk, lists, level)
        if counts[HITS] > 0:
            return FOUND
    return DONE


look = compiled(_look)
