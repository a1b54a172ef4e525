"""Branch and bound: whole boxes are ruled out, so most pairs of points and atoms are never seen.

**Statement.**  For every box that is ruled out there is a lower bound of the canonical values of
its points that exceeds an upper bound of one point's canonical value.  All other points reach
`Survivors`, and so `gridwell.kinds.grid.potential.least`, which decides.

**How.**  A box inherits from the box that it is a part of the field of all far sources (a quadratic
and its error, `app_tier.kinds.grid.kernels.search.far_field`) and a list of the near ones.  Of
each part, near sources are bounded by lines in the squared distance
(`app_tier.kinds.grid.kernels.search.bounds`): together again a quadratic, whose least over the
part is known in closed form.  Parts whose bound exceeds the best upper bound are dropped, the
others looked at in the order of their bounds, the lowest first.  A box of 64 points is cut into
its points, and those that are left are summed over all atoms
(`app_tier.kinds.grid.kernels.sum.point_bounds`), which improves the upper bound.  Going into depth
before breadth keeps the memory to the lists of a few boxes.

**Proof sketch.**  With u = 2^-53 and N atoms:

* In real arithmetic the bounds hold by convexity and by Legendre's series; see the two modules.
* These are rounded: a few operations on each term, and sums and products of matrices over at most N
  terms. So are the moments of clusters (six levels, (12 L + 8) u), and a change of centre at each
  of at most 51 levels (axes of 65,536 points, halved one at a time or together). The error is less
  than (N + 512) u `size`, where `size` bounds the absolute sum of what is added.
* A canonical term differs from e/r by 4 u |e| / r and a sum is rounded once.  For e < 0 a line
  lies above 1/r, and for far sources 1/r <= 2/d, so `size` bounds these sums as well. For e > 0 a
  relative error of the term is one of a bound below it.

The slack that is subtracted is 2 (N + 512) u `size`: the factor of 2 also covers the rounding of
the bound itself.  What overflows in spite of `gridwell.kinds.grid.limits`, as lines very near to an
atom may, is not finite and rules nothing out.

**The budget.**  No bound helps where all points are nearly equal, as in rock salt, or where wells
are everywhere.  So work is counted in units of a pair of the direct kernel. When it reaches
`_SHARE` of that kernel's cost, `app_tier.kinds.grid.kernels.sum.single_precision` (`jit_direct`
with numba) takes the boxes that are left. So no input costs twice as much as the direct kernel. A
count instead of a clock also keeps the search the same on every run.

Source: A. H. Land and A. G. Doig, An Automatic Method of Solving Discrete Programming Problems
(Econometrica 28, 1960).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.numba_compile import COMPILES
from app_tier.kinds.grid.kernels.search.box_cut import parts
from app_tier.kinds.grid.kernels.search.budget import searched
from app_tier.kinds.grid.kernels.search.likely_points import likely_points
from app_tier.kinds.grid.kernels.search.search_node import (
    Search,
    SearchNode,
    cut_and_bounded,
    narrowed,
    root,
)
from app_tier.kinds.grid.kernels.search.source_tree import sources_of
from app_tier.kinds.grid.kernels.sum.direct import direct_minimum
from app_tier.kinds.grid.kernels.sum.point_bounds import Points
from app_tier.kinds.grid.kernels.sum.survivors import Survivors
from gridwell.kinds.grid.grid import Box

if COMPILES:
    from app_tier.kinds.grid.kernels.sum.compiled_direct import least_of_boxes
else:
    from app_tier.kinds.grid.kernels.sum.single_precision import least_of_boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Progress, Question
    from app_tier.kinds.grid.kernels.search.box_cut import Cut
    from gridwell.kinds.grid.minimum import Minimum

#: Costs in pairs of the direct kernel, measured (2.2 ns a pair) and rounded up.
_SETUP_COST: Final = 400_000  #: to begin at all
_ATOM_COST: Final = 300  #: of an atom: to find clusters and likely points
_FAMILY_COST: Final = 120_000  #: to narrow and cut a box, besides its sources
_SOURCE_COST: Final = 25  #: of a source to narrow
_TERM_COST: Final = 9  #: of a line: one source in one part
_POINT_COST: Final = 5  #: of a pair of a point and an atom

_SHARE: Final = 0.6  #: of the direct kernel's cost: where to give up
_BATCH: Final = 8  #: points that are summed before looking at the bound again

#: The error that a far source may add, as a share of the best value: measured.  Where energies have
#: one sign, the errors of all sources add up while many boxes come close, so less is allowed.
_ONE_SIGN: Final = 0.03
_BOTH_SIGNS: Final = 0.4


@dataclass(frozen=True, slots=True)
class _Open:
    """A part of a box that is still to be looked at."""

    lower: float  #: a bound below its points' canonical values
    box: Box
    parent: SearchNode


def branch_and_bound_minimum(
    question: Question, box: Box, *, best: Minimum | None, progress: Progress
) -> Minimum | None:
    """Search a box by branch and bound, as `app_tier.kinds.grid.kernels.kernel.Kernel`."""
    count = question.atoms.count
    budget = _SHARE * box.points * count
    if budget <= _SETUP_COST + _ATOM_COST * count or not question.acts.any():
        return direct_minimum(question, box, best=best, progress=progress)
    return searched(
        _BranchAndBound(question, box, best),
        box,
        budget=budget,
        rest=partial(least_of_boxes, question),
        progress=progress,
    )


class _BranchAndBound:
    """A search that can be left after each step."""

    def __init__(self, question: Question, box: Box, best: Minimum | None) -> None:
        grid, atoms = question.grid, question.atoms
        min_distance, softening = question.min_distance, question.softening
        sources = sources_of(grid, atoms, min_distance, softening)
        axes = (grid.axis(0), grid.axis(1), grid.axis(2))
        self.survivors = Survivors(question, best)
        self._points = Points(question)
        self._search = Search(
            axes=axes,
            sources=sources,
            min_distance=min_distance,
            softening=softening,
            zones=question.zones,
        )
        self._grid, self._atoms = grid, atoms
        self._upper = math.inf if best is None else best.value
        self._slack = 2.0 * (atoms.count + 512) * 2.0**-53
        self._allowed = (_ONE_SIGN if sources.has_one_sign else _BOTH_SIGNS) / sources.energy
        extent = math.dist([axis[0] for axis in axes], [axis[-1] for axis in axes])
        #: What values are like where the best one is near zero, or none is known.
        self._typical = 1e-3 * sources.energy / max(extent, *grid.spacing)
        self.cost = float(_SETUP_COST + _ATOM_COST * atoms.count)  #: in pairs of the direct kernel
        self._open = [_Open(-math.inf, box, root(self._search, box))]  #: the lowest bound last
        self.points_left = box.points  #: neither ruled out nor summed yet
        self._sum(likely_points(grid, sources, box))

    @property
    def is_open(self) -> bool:
        """True if a box is still to be searched."""
        return bool(self._open)

    def open_boxes(self) -> list[Box]:
        """Return the boxes that hold all points that are left."""
        return [part.box for part in self._open]

    def step(self, budget: float) -> None:  # noqa: ARG002 - a step is short
        """Look at the open box of the lowest bound among the smallest."""
        part = self._open.pop()
        self.points_left -= part.box.points
        if part.lower > self._upper:
            return
        family = narrowed(self._search, part.parent, part.box, self._gap())
        cut, lower, void = cut_and_bounded(self._search, family, self._slack)
        self.cost += (
            _FAMILY_COST
            + _SOURCE_COST * len(part.parent.near)
            + _TERM_COST * len(lower) * len(family.near)
        )
        kept = np.flatnonzero(~void & (lower <= self._upper))
        kept = kept[np.argsort(lower[kept])]
        if len(lower) == part.box.points:
            self._settle_points(cut, kept, lower)
        else:
            self._open_parts(family, cut, kept, lower)

    def _gap(self) -> float:
        size = abs(self._upper) if self._upper < math.inf else 0.0
        return self._allowed * max(size, self._typical)

    def _settle_points(self, cut: Cut, kept: NDArray[np.intp], lower: NDArray[np.float64]) -> None:
        start, _ = parts(cut)
        indices = np.ravel_multi_index(tuple(start.T), self._grid.shape)
        while len(kept):
            self._sum(indices[kept[:_BATCH]])
            kept = kept[_BATCH:]
            kept = kept[lower[kept] <= self._upper]

    def _open_parts(
        self, family: SearchNode, cut: Cut, kept: NDArray[np.intp], lower: NDArray[np.float64]
    ) -> None:
        start, stop = (ends.tolist() for ends in parts(cut))
        for k in kept[::-1].tolist():
            (x0, y0, z0), (x1, y1, z1) = start[k], stop[k]
            box = Box((x0, y0, z0), (x1, y1, z1))
            self._open.append(_Open(float(lower[k]), box, family))
            self.points_left += box.points

    def _sum(self, indices: NDArray[np.int64]) -> None:
        """Sum points over all atoms, and keep those that could be the least."""
        self.cost += _POINT_COST * len(indices) * self._atoms.count
        good, lower, upper = self._points.bounds(indices)
        if len(upper):
            self._upper = min(self._upper, float(upper.min()))
        for _ in self.survivors.add(indices[good], lower, upper):
            pass
