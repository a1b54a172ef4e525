"""State of the compiled search: tuples of arrays, and what is where in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from app_tier.kinds.grid.kernels.search.nearest_points import LESS
from app_tier.kinds.grid.kernels.sum.compiled_row_loops import LEAST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Question
    from app_tier.kinds.grid.kernels.search.source_tree import SourceTree
    from gridwell.kinds.grid.grid import Box
LEVELS: Final = 64  #: a box of 2^31 points is halved at most 51 times
POINTS: Final = 64  #: a box of at most so many points is cut into its points
PARTS: Final = 8  #: of a box; also how many sums of a kind stand side by side
BLOCK: Final = 256  #: sources that are looked at together
ROWS: Final = 9

#: A field: 20 coefficients of 1, x, y, z, xx, yy, zz, xy, xz, yz, xxx, yyy, zzz, xxy, xxz, yyx,
#: yyz, zzx, zzy, xyz; then how much the potential may differ from it; and its size.
ERROR, SIZE = 20, 21
FIELD: Final = 22

#: Places in `SearchPath.counts` and `SearchPath.numbers`.
OPEN, LEFT, HITS = range(3)
UPPER, COST, UNTIL, GAP, SLACK = range(5)


class Tree(NamedTuple):
    """The search's input: the sources, the grid's axes and the options."""

    table: NDArray[np.float64]  #: this and the next four as in `SourceTree`
    moments: NDArray[np.float64]
    first_cluster: int  #: its number
    child: NDArray[np.int32]
    parts: NDArray[np.int32]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    min_distance: float
    softening: float
    zones: NDArray[np.float64]  #: x, y, z and a square below which r^2 is surely in, shape (M, 4)


class SearchPath(NamedTuple):
    """State of the search: the open boxes, and the boxes that the last of them is a part of."""

    counts: NDArray[np.int64]
    numbers: NDArray[np.float64]
    boxes: NDArray[np.int64]  #: of each open box its level, lows and highs, shape (512, 7)
    lowers: NDArray[np.float64]  #: bounds below the open boxes' values
    near: NDArray[
        np.int64
    ]  #: where a level's near sources are in `lists`: start, first negative, end
    centres: NDArray[np.float64]  #: of a level's box, shape (65, 3)
    fields: NDArray[np.float64]  #: about it, shape (65, 22)
    hits: NDArray[np.int64]  #: linear indices of points that could be the least
    hit_lowers: NDArray[np.float64]  #: bounds below their values


class ScratchBuffers(NamedTuple):
    """Room to work in."""

    #: Sources that are looked at together: x, y, z from the centre, energy, error, radius, |m1|,
    #: |m2| and what becomes of it.
    block: NDArray[np.float64]
    chosen: NDArray[np.int32]  #: their numbers
    pending: NDArray[np.int32]  #: clusters that are taken apart: their first parts and the ends
    sums: NDArray[np.float64]  #: eight sums of each of a field's numbers
    field: NDArray[np.float64]  #: the box's
    moved: NDArray[np.float64]  #: the same about a part's centre
    centre: NDArray[np.float64]  #: the box's
    halves: NDArray[np.float64]  #: from there to its ends along each axis
    ends: NDArray[np.int64]  #: the parts' lows and highs, shape (8, 6)
    parts: NDArray[np.float64]  #: eight of x, y, z of the centre and of the halves
    lines: NDArray[np.float64]  #: eight of constant, gradient (3), curvature and size
    points: NDArray[np.float64]  #: x, y, z of a small box's points
    totals: NDArray[np.float64]  #: their sums over positive and negative atoms, and the least r^2


def new_tree(question: Question, sources: SourceTree) -> Tree:
    """Return the tree of a problem.

    Zones so small that their squares may lose digits rule nothing out here; `Points` knows them.
    """
    grid, zones = question.grid, question.zones
    squares = zones[:, 3] * zones[:, 3]
    told = np.column_stack([zones[:, :3], squares * LESS])[squares > LEAST]
    return Tree(
        table=sources.table,
        moments=sources.moments,
        first_cluster=int(sources.cluster_ends[0]),
        child=sources.child,
        parts=sources.parts,
        x=grid.axis(0),
        y=grid.axis(1),
        z=grid.axis(2),
        min_distance=question.min_distance,
        softening=question.softening,
        zones=np.ascontiguousarray(told),
    )


def new_path(box: Box) -> SearchPath:
    """Return the path of a search that begins with one box."""
    path = SearchPath(
        counts=np.zeros(3, dtype=np.int64),
        numbers=np.zeros(5),
        boxes=np.zeros((PARTS * LEVELS, 7), dtype=np.int64),
        lowers=np.full(PARTS * LEVELS, -np.inf),
        near=np.zeros((LEVELS + 1, 3), dtype=np.int64),
        centres=np.zeros((LEVELS + 1, 3)),
        fields=np.zeros((LEVELS + 1, FIELD)),
        hits=np.zeros(POINTS, dtype=np.int64),
        hit_lowers=np.zeros(POINTS),
    )
    path.counts[:] = 1, box.points, 0
    path.boxes[0] = 1, *box.low, *box.high
    return path


def new_desk(clusters: int) -> ScratchBuffers:
    """Return buffers for a tree of so many clusters."""
    return ScratchBuffers(
        block=np.zeros(ROWS * BLOCK),
        chosen=np.zeros(BLOCK, dtype=np.int32),
        pending=np.zeros((clusters + 1, 2), dtype=np.int32),
        sums=np.zeros(PARTS * FIELD),
        field=np.zeros(FIELD),
        moved=np.zeros(FIELD),
        centre=np.zeros(3),
        halves=np.zeros(3),
        ends=np.zeros((PARTS, 6), dtype=np.int64),
        parts=np.zeros(PARTS * 6),
        lines=np.zeros(PARTS * 6),
        points=np.zeros((3, POINTS)),
        totals=np.zeros((3, POINTS)),
    )
