"""Narrowing of a box's near sources: to be compiled.

A box inherits the near sources of the box that it is a part of. Those that are far from it join its
field, clusters that are too coarse are split, and the others stay near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.numba_compile import compiled
from app_tier.kinds.grid.kernels.search.compiled_field import add_far
from app_tier.kinds.grid.kernels.search.compiled_state import BLOCK, FIELD, GAP, PARTS, ROWS
from app_tier.kinds.grid.kernels.search.nearest_points import LESS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.search.compiled_state import ScratchBuffers, SearchPath, Tree

_FAR_SQUARE: Final = 1e-40  #: of d: nothing over- or underflows in a field beyond it
_APART: Final = 2.0  #: far sources are at least so many times (half diagonal + radius) away
#: In half diagonals: near clusters of a larger radius are taken apart.  Measured.
_WIDE_POSITIVE: Final = 0.9
_WIDE_NEGATIVE: Final = 0.2
_FAR, _NEAR, _COARSE, _VOID = 0.0, 1.0, 2.0, 3.0  #: what becomes of a source
NONE, NO_ROOM = -1, -2  #: instead of a number of sources: no point qualifies; lists are full


def _gather(
    tree: Tree,
    chosen: NDArray[np.int32],
    count: int,
    centre: NDArray[np.float64],
    desk: ScratchBuffers,
) -> int:
    """Write some sources into the block, and up to the next eight more that add nothing."""
    table, moments, block = tree.table, tree.moments, desk.block
    cx, cy, cz = centre[0], centre[1], centre[2]
    for j in range(count):
        s = chosen[j]
        block[j] = table[0, s] - cx
        block[BLOCK + j] = table[1, s] - cy
        block[2 * BLOCK + j] = table[2, s] - cz
        block[3 * BLOCK + j] = table[3, s]
        c = s - tree.first_cluster
        if c < 0 or c >= len(tree.child):  # an atom
            block[5 * BLOCK + j] = block[6 * BLOCK + j] = block[7 * BLOCK + j] = 0.0
            continue
        block[5 * BLOCK + j] = moments[4, c]
        first = abs(moments[0, c]) + abs(moments[1, c]) + abs(moments[2, c])
        block[6 * BLOCK + j] = first
        block[7 * BLOCK + j] = abs(moments[3, c])
    while count % PARTS:
        for row in range(ROWS):
            block[row * BLOCK + count] = 0.0
        count += 1
    return count


gather = compiled(_gather)


def _judge(
    block: NDArray[np.float64],
    count: int,
    half: float,
    gap: float,
    reach: float,
    wide: float,
    void: float,
) -> None:
    """Write what becomes of each source of a block; of those that are not far, nothing is left.

    With D = d - h, the error of a far cluster is

        |m0| h^4 / (d^4 D)  +  |m1| / D^2  +  |m2| / (D^2 (D - radius)).
    """
    for j in range(count):
        x, y, z = block[j], block[BLOCK + j], block[2 * BLOCK + j]
        energy, radius = block[3 * BLOCK + j], block[5 * BLOCK + j]
        size = abs(energy)
        square = x * x + y * y + z * z
        distance = np.sqrt(square)
        closest = distance - half
        inner = closest - radius
        over = size * (half * half) * (half * half)
        under = square * square * closest
        cube = closest * closest * inner
        all_over = over * cube + (block[6 * BLOCK + j] * inner + block[7 * BLOCK + j]) * under
        all_under = under * cube
        apart = (
            (distance >= _APART * (radius + half))
            & (square >= _FAR_SQUARE)
            & (inner * LESS >= reach)
        )
        alone = apart & (over <= gap * size * under)  # would be far, were it not a cluster
        far = alone & (all_over <= gap * size * all_under)
        verdict = _COARSE if alone | (radius > wide) else _NEAR
        verdict = _FAR if far else verdict
        verdict = _VOID if distance + half + radius < void else verdict
        block[j] = x if far else 1.0
        block[3 * BLOCK + j] = energy if far else 0.0
        block[4 * BLOCK + j] = all_over / all_under if far else 0.0
        block[8 * BLOCK + j] = verdict


judge = compiled(_judge)


def _take(pending: NDArray[np.int32], waiting: int, chosen: NDArray[np.int32]) -> tuple[int, int]:
    """Take sources from the last pending clusters; return how many, and the clusters left."""
    count = 0
    while waiting > 0 and count < BLOCK:
        first, last = pending[waiting - 1, 0], pending[waiting - 1, 1]
        while first < last and count < BLOCK:
            chosen[count] = first
            first += 1
            count += 1
        pending[waiting - 1, 0] = first
        if first == last:
            waiting -= 1
    return count, waiting


take = compiled(_take)


def _keep(
    tree: Tree, desk: ScratchBuffers, count: int, lists: NDArray[np.int32], end: int, waiting: int
) -> tuple[int, int]:
    """List the near ones of the sources just judged, and let coarse clusters wait.

    Returns:
        The list's end, or `NONE` if a source leaves no point that qualifies, and how many wait.
    """
    pending = desk.pending
    for j in range(count):
        verdict = desk.block[8 * BLOCK + j]
        if verdict == _FAR:
            continue
        s = desk.chosen[j]
        if verdict == _VOID:
            return NONE, waiting
        c = s - tree.first_cluster
        if verdict == _COARSE and 0 <= c < len(tree.child):
            pending[waiting, 0] = tree.child[c]
            pending[waiting, 1] = tree.child[c] + tree.parts[c]
            waiting += 1
        else:
            lists[end] = s
            end += 1
    return end, waiting


keep = compiled(_keep)


def _narrow(
    tree: Tree,
    path: SearchPath,
    desk: ScratchBuffers,
    lists: NDArray[np.int32],
    level: int,
    half: float,
    wide: float,
    lanes: int,
) -> int:
    """Narrow a level's box; return how many sources were looked at, or `NONE` or `NO_ROOM`."""
    near, block, chosen = path.near, desk.block, desk.chosen
    void = tree.min_distance * LESS
    reach = max(tree.softening, tree.min_distance)
    gap = path.numbers[GAP] / (half * half * half)
    desk.sums[:] = 0.0
    end = near[level - 1, 2]
    near[level, 0] = end
    looked = 0
    for sign in range(2):
        i, stop = near[level - 1, sign], near[level - 1, sign + 1]
        limit = (_WIDE_POSITIVE if sign == 0 else _WIDE_NEGATIVE) * wide
        waiting = 0
        while waiting > 0 or i < stop:
            count, waiting = take(desk.pending, waiting, chosen)
            while i < stop and count < BLOCK:
                chosen[count] = lists[i]
                i += 1
                count += 1
            looked += count
            padded = gather(tree, chosen, count, desk.centre, desk)
            judge(block, padded, half, gap, reach, limit, void)
            add_far(block, padded, lanes, desk.sums)
            if end + count > len(lists):
                return NO_ROOM
            end, waiting = keep(tree, desk, count, lists, end, waiting)
            if end < 0:
                return NONE
        near[level, sign + 1] = end
    for j in range(FIELD):
        for k in range(PARTS):
            desk.field[j] += desk.sums[PARTS * j + k]
    return looked


narrow = compiled(_narrow)
