"""Cuts a box into parts, and opens those that may hold the least: to be compiled.

Parts whose least exceeds the best upper bound are dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.numba_compile import compiled
from app_tier.kinds.grid.kernels.search.compiled_bounds import add_chords, add_tangents, below
from app_tier.kinds.grid.kernels.search.compiled_state import COST, LEFT, OPEN, PARTS, SLACK, UPPER
from app_tier.kinds.grid.kernels.search.nearest_points import UNDERFLOW
from app_tier.kinds.grid.kernels.search.source_tree import WIDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.search.compiled_state import ScratchBuffers, SearchPath, Tree

_HALVES: Final = 2
_TERM_COST: Final = 1.5  #: of a source in a part, in nanoseconds, measured and rounded up


def _measure(tree: Tree, ends: NDArray[np.int64], desk: ScratchBuffers) -> float:
    """Write a box's centre and halves, and return its half diagonal; surely not less."""
    square = 0.0
    for k in range(3):
        axis = tree.x if k == 0 else tree.y if k == 1 else tree.z
        low, high = axis[ends[k]], axis[ends[3 + k] - 1]
        centre = 0.5 * (low + high)
        desk.centre[k] = centre
        desk.halves[k] = max(centre - low, high - centre) * WIDER
        square += desk.halves[k] * desk.halves[k]
    return float(np.sqrt(square)) * WIDER + UNDERFLOW


measure = compiled(_measure)


def _cut(tree: Tree, desk: ScratchBuffers, box: NDArray[np.int64]) -> int:
    """Write the parts of a box, as `box_cut.cut` makes them; return how many."""
    lengths = desk.halves.copy()
    if not lengths.max() > 0.0:
        for k in range(3):
            lengths[k] = box[3 + k] - box[k] - 1
    limit = lengths.max() / _HALVES
    ends = desk.ends
    ends[0] = box
    count = 1
    for k in range(3):
        low, high = box[k], box[3 + k]
        if lengths[k] > limit and high - low > 1:
            for n in range(count):
                ends[count + n] = ends[n]
                ends[n, 3 + k] = ends[count + n, k] = (low + high) // 2
            count *= 2
    centre, halves = desk.centre.copy(), desk.halves.copy()
    for n in range(PARTS):  # there are always eight to look at: the last again and again
        measure(tree, ends[min(n, count - 1)], desk)
        for k in range(3):
            desk.parts[PARTS * k + n] = desk.centre[k]
            desk.parts[PARTS * (3 + k) + n] = desk.halves[k]
    desk.centre[:] = centre
    desk.halves[:] = halves
    return count


cut = compiled(_cut)


def _points_of(ends: NDArray[np.int64]) -> int:
    return int((ends[3] - ends[0]) * (ends[4] - ends[1]) * (ends[5] - ends[2]))


points_of = compiled(_points_of, inline=True)


def _open_parts(
    tree: Tree,
    path: SearchPath,
    desk: ScratchBuffers,
    lists: NDArray[np.int32],
    level: int,
    lanes: int,
) -> None:
    """Cut a box, and open those parts that may hold the least, the lowest bound last."""
    start, middle, end = path.near[level, 0], path.near[level, 1], path.near[level, 2]
    box = path.boxes[path.counts[OPEN], 1:]
    count = cut(tree, desk, box)
    desk.lines[:] = 0.0
    add_tangents(tree, lists[start:middle], lanes, desk.parts, desk.lines)
    add_chords(tree, lists[middle:end], lanes, desk.parts, desk.lines)
    path.numbers[COST] += _TERM_COST * PARTS * (end - start)
    path.centres[level] = desk.centre
    path.fields[level] = desk.field
    first = last = path.counts[OPEN]
    for k in range(count):
        bound = below(desk, k, path.numbers[SLACK])
        if bound > path.numbers[UPPER]:
            continue
        place_of = last
        while place_of > first and path.lowers[place_of - 1] < bound:
            path.lowers[place_of] = path.lowers[place_of - 1]
            path.boxes[place_of] = path.boxes[place_of - 1]
            place_of -= 1
        path.lowers[place_of] = bound
        path.boxes[place_of, 0] = level + 1
        path.boxes[place_of, 1:] = desk.ends[k]
        path.counts[LEFT] += points_of(desk.ends[k])
        last += 1
    path.counts[OPEN] = last


open_parts = compiled(_open_parts)
