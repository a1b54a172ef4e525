"""Branch and bound compiled by numba: the search in numpy, many times faster.

**Statement.**  For every box and point that is ruled out there is a lower bound of its canonical
values that exceeds an upper bound of one point's canonical value.  All other points reach
`Survivors`, and so `gridwell.kinds.grid.potential.least`, which decides.

**How.**  The bounds are those of the search in numpy with a field of one order more, and the work
on a box is compiled (`app_tier.kinds.grid.kernels.search.compiled_box_loops`). The two differ at
small boxes. Summing near atoms over 64 points takes microseconds and settles most boxes that no
bound rules out. Only a few points are summed over all atoms
(`app_tier.kinds.grid.kernels.sum.point_bounds`).

**Proof sketch.**  With u = 2^-53 and N atoms:

* In real arithmetic the bounds hold by convexity and by Legendre's series; see
  `app_tier.kinds.grid.kernels.search.bounds`, `app_tier.kinds.grid.kernels.search.compiled_bounds`
  and `app_tier.kinds.grid.kernels.search.compiled_field`.
* A number of a field or of a line is a sum over at most N sources, in an order that the code fixes.
  Its products are rounded at most 40 times, and its moments are within (12 L + 8) u, L <= 6. It is
  moved at most 51 times to another centre, with 12 operations each time. An operation that is fused
  saves a rounding, and no other liberty is given to the compiler.  So the error is less than (N +
  40 + 80 + 612) u `size`, where the size bounds the absolute sum of what is added.
* A canonical term differs from e/r by 4 u |e| / r and a sum is rounded once.  For e < 0 a line
  lies above 1/r, and for far sources 1/r <= 2/d, so the size bounds these sums as well. For e > 0 a
  relative error of the term is one of a bound below it.  At a point both belong to `NEAR_ERROR`.

The slack that is subtracted is 2 (N + 1024) u `size`: the factor of 2 also covers the rounding of
the bound itself.  Errors of far sources are raised by a part in 2^30, more than their own rounding
(N u <= 2e-10).  Products of what `gridwell.kinds.grid.limits` allows overflow only in lines very
near to an atom: what is not finite rules nothing out.

**The budget.**  Work is counted in nanoseconds of one measured machine. When it reaches `_SHARE` of
the time of `jit_direct`, that kernel takes the boxes that are left. If their rows have become too
short, it takes all boxes again, which costs less. So the worst input costs about twice as much as
`jit_direct` (rock salt, measured), and far from twice as much as `direct`, which takes five times
as long.  A count instead of a clock also keeps the search the same on every run.

Source: A. H. Land and A. G. Doig, An Automatic Method of Solving Discrete Programming Problems
(Econometrica 28, 1960).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.search.budget import searched
from app_tier.kinds.grid.kernels.search.compiled_box_loops import FOUND, FULL, look
from app_tier.kinds.grid.kernels.search.compiled_state import (
    COST,
    GAP,
    HITS,
    LEFT,
    OPEN,
    PARTS,
    SLACK,
    UNTIL,
    UPPER,
    new_desk,
    new_path,
    new_tree,
)
from app_tier.kinds.grid.kernels.search.likely_points import likely_points
from app_tier.kinds.grid.kernels.search.source_tree import sources_of
from app_tier.kinds.grid.kernels.sum.compiled_direct import jit_direct_minimum, least_of_boxes
from app_tier.kinds.grid.kernels.sum.point_bounds import Points
from app_tier.kinds.grid.kernels.sum.survivors import Survivors
from gridwell.kinds.grid.grid import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Progress, Question
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.minimum import Minimum

#: Costs in nanoseconds, measured and rounded up; those of boxes are beside their loops.
_PAIR_COST: Final = 0.24  #: of `jit_direct`, whose rows each cost as much again as `_ROW` points
_ROW: Final = 12
_SETUP_COST: Final = 300_000.0  #: to begin at all
_ATOM_COST: Final = 500.0  #: of an atom: to find clusters and likely points
_SUM_COST: Final = 60_000.0  #: to sum some points, besides their pairs
_SUMMED_COST: Final = 2.2  #: of a pair of a point and an atom

_SHARE: Final = 0.65  #: of the cost of `jit_direct`: where to give up
_SLICE: Final = 2e7  #: nanoseconds between two signs of life
_BATCH: Final = 8  #: points that are summed before looking at the bound again
_ROOM: Final = 1 << 16  #: of the lists of near sources, at first

#: A far source in a box of half diagonal h may add an error of its energy times this times the best
#: value, a sixteenth of the grid's diagonal to the power of 3, and h^-3: then the levels share the
#: error well.  Where energies have one sign, the errors of all sources add up while many boxes come
#: close, so less is allowed.  Measured.
_ONE_SIGN: Final = 0.1
_BOTH_SIGNS: Final = 1.0
_UNIT: Final = 16.0


def jit_branch_and_bound_minimum(
    question: Question, box: Box, *, best: Minimum | None, progress: Progress
) -> Minimum | None:
    """Search a box by compiled branch and bound, as `app_tier.kinds.grid.kernels.kernel.Kernel`."""
    budget = _SHARE * _summed([box], question.atoms)
    if budget <= _SETUP_COST + _ATOM_COST * question.atoms.count or not question.acts.any():
        return jit_direct_minimum(question, box, best=best, progress=progress)
    return searched(
        _CompiledBranchAndBound(question, box, best),
        box,
        budget=budget,
        rest=partial(least_of_boxes, question),
        progress=progress,
    )


def _summed(boxes: list[Box], atoms: Atoms) -> float:
    """Nanoseconds that `jit_direct` takes for some boxes."""
    points = sum(nx * ny * (nz + _ROW) for nx, ny, nz in (box.shape for box in boxes))
    return _PAIR_COST * points * atoms.count


class _CompiledBranchAndBound:
    """A search that can be left after each step."""

    def __init__(self, question: Question, box: Box, best: Minimum | None) -> None:
        grid, atoms = question.grid, question.atoms
        sources = sources_of(grid, atoms, question.min_distance, question.softening)
        self.survivors = Survivors(question, best)
        self._points = Points(question)
        self._atoms, self._box = atoms, box
        self._tree = new_tree(question, sources)
        self._path = new_path(box)
        self._desk = new_desk(len(sources.child))
        self._lists = np.zeros(max(_ROOM, 2 * len(sources.tops)), dtype=np.int32)
        self._lists[: len(sources.tops)] = sources.tops
        first_negative = int((sources.tops < sources.positive).sum())
        self._path.near[0] = 0, first_negative, len(sources.tops)
        last = grid.point(grid.points - 1)
        extent = max(math.dist(grid.point(0), last), *grid.spacing)
        self._allowed = (_ONE_SIGN if sources.has_one_sign else _BOTH_SIGNS) / sources.energy
        self._allowed *= (extent / _UNIT) ** 3
        #: What values are like where the best one is near zero, or none is known.
        self._typical = 1e-3 * sources.energy / extent
        numbers = self._path.numbers
        numbers[UPPER] = math.inf if best is None else best.value
        numbers[COST] = _SETUP_COST + _ATOM_COST * atoms.count
        numbers[SLACK] = 2.0 * (atoms.count + 1024) * 2.0**-53
        self._sum(likely_points(grid, sources, box))

    @property
    def is_open(self) -> bool:
        """True if a box is still to be searched."""
        return bool(self._path.counts[OPEN] > 0)

    @property
    def points_left(self) -> int:
        """Points that are neither ruled out nor summed yet."""
        return int(self._path.counts[LEFT])

    @property
    def cost(self) -> float:
        """Nanoseconds, as counted."""
        return float(self._path.numbers[COST])

    def open_boxes(self) -> list[Box]:
        """Those that are to be looked at, or all again where that is less to sum."""
        ends = self._path.boxes[: self._path.counts[OPEN], 1:].tolist()
        left = [Box((x0, y0, z0), (x1, y1, z1)) for x0, y0, z0, x1, y1, z1 in ends]
        if _summed(left, self._atoms) > _summed([self._box], self._atoms):
            return [self._box]
        return left

    def step(self, budget: float) -> None:
        """Look at open boxes for some milliseconds, or until points are to be summed."""
        path = self._path
        upper = path.numbers[UPPER]
        size = abs(upper) if upper < math.inf else 0.0
        path.numbers[GAP] = self._allowed * max(size, self._typical)
        path.numbers[UNTIL] = min(budget, self.cost + _SLICE)
        state = look(self._tree, path, self._desk, self._lists, PARTS)
        if state == FULL:
            self._lists = np.concatenate([self._lists, np.zeros_like(self._lists)])
        elif state == FOUND:
            count = path.counts[HITS]
            order = np.argsort(path.hit_lowers[:count])
            self._settle(path.hits[order], path.hit_lowers[order])

    def _settle(self, indices: NDArray[np.int64], lower: NDArray[np.float64]) -> None:
        while len(indices):
            self._sum(indices[:_BATCH])
            good = lower[_BATCH:] <= self._path.numbers[UPPER]
            indices, lower = indices[_BATCH:][good], lower[_BATCH:][good]

    def _sum(self, indices: NDArray[np.int64]) -> None:
        """Sum points over all atoms, and keep those that could be the least."""
        numbers = self._path.numbers
        numbers[COST] += _SUM_COST + _SUMMED_COST * len(indices) * self._atoms.count
        good, lower, upper = self._points.bounds(indices)
        numbers[UPPER] = min(numbers[UPPER], upper.min(initial=math.inf))
        for _ in self.survivors.add(indices[good], lower, upper):
            pass
