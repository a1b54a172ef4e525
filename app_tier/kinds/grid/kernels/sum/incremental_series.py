"""Series by one sum over the grid: each next point then costs a look at the points, and no search.

All points are summed once, with bounds below and above their canonical values.  An ion adds one
term to each point, and a zone takes points away, so the bounds of the next step follow from those
of the last.  Points that may be the least reach `Survivors`, and so
`gridwell.kinds.grid.potential.least`, which decides.

**The error bound.**  With u = 2^-53 and the exact sum s of a point's terms, the canonical value is
c = s (1 + d), |d| <= u.  From lower <= c follows s >= lower - u |lower|, as x - u |x| rises with x.
The ion's term t has the canonical one's bits: the same operations in the same order.  So the next
sum is s + t exactly, and its canonical value at least lower + t less 2 u (|lower| + t).  Adding and
subtracting in float64 costs 2 u more: the 8 u that are subtracted cover it, and so above.

Source: VMD's cionize and SODIUM keep a map of the potential and add each ion to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.kernel import Question
from app_tier.kinds.grid.kernels.numba_compile import COMPILES
from app_tier.kinds.grid.kernels.sum.row_sums import bounds, slabs, weights_of
from app_tier.kinds.grid.kernels.sum.survivors import Survivors

if COMPILES:
    from app_tier.kinds.grid.kernels.sum.compiled_direct import Sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Progress
    from app_tier.kinds.grid.kernels.sum.row_sums import Bounds, RowBlock
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid
    from gridwell.kinds.grid.minimum import Minimum

_SLACK: Final = 2.0**-50
_POINTS: Final = 1 << 18  #: points that are looked at together: temporary arrays of 2 MiB


class IncrementalSeries:
    """Finds the points of one series, each call the next (`series_points.steps`).

    Args:
        grid: the grid, of few enough points to keep two numbers for each.
        min_distance: as for `gridwell.kinds.grid.potential.potential`.
        softening: the same.
        progress: called several times a second with the points that were summed.
    """

    def __init__(
        self, grid: Grid, *, min_distance: float, softening: float, progress: Progress
    ) -> None:
        self._grid = grid
        self._min_distance, self._softening = min_distance, softening
        self._progress = progress
        self._lower = np.full(grid.shape, np.inf)  #: infinite where a point does not qualify
        self._upper = np.full(grid.shape, np.inf)
        self._atoms = 0  #: how many are in these bounds

    def __call__(
        self, atoms: Atoms, zones: NDArray[np.float64], _hint: int | None
    ) -> Minimum | None:
        """Return the least outside the zones, of which all but the last were there before."""
        with np.errstate(all="ignore"):  # 1/0 on an atom and inf - inf: those are told apart
            if not len(zones):
                self._sum_all(atoms)
            else:
                self._step(zones[-1], placed=atoms.count > self._atoms)
            self._atoms = atoms.count
        return self._least(atoms)

    def _sum_all(self, atoms: Atoms) -> None:
        question, done = self._question(atoms), 0
        for slab in slabs(self._grid.box):
            for found in _slab_bounds(question, slab):
                self._progress(done)
                if found is not None:
                    indices, lower, upper = found
                    self._lower.flat[indices] = lower
                    self._upper.flat[indices] = upper
            done += slab.points

    def _question(self, atoms: Atoms) -> Question:
        return Question(
            grid=self._grid,
            atoms=atoms,
            min_distance=self._min_distance,
            softening=self._softening,
        )

    def _step(self, zone: NDArray[np.float64], *, placed: bool) -> None:
        """Leave out the points in a zone, and add the ion in its middle if one was placed."""
        grid = self._grid
        *centre, radius = zone.tolist()
        squares = [(grid.axis(k) - centre[k]) * (grid.axis(k) - centre[k]) for k in range(3)]
        nearest = radius * radius
        if placed:
            nearest = max(nearest, self._min_distance * self._min_distance)
        nx, ny, nz = grid.shape
        height = max(1, _POINTS // nz)
        for start in range(0, nx * ny, height):
            row = np.arange(start, min(start + height, nx * ny))
            r2 = (squares[0][row // ny] + squares[1][row % ny])[:, None] + squares[2]
            lower, upper = (
                bound.reshape(-1, nz)[start : start + height]
                for bound in (self._lower, self._upper)
            )
            bad = (r2 < nearest) | (r2 == 0) | np.isinf(lower)
            if placed:
                term = np.reciprocal(np.maximum(np.sqrt(r2), self._softening))
                lower += term - _SLACK * (np.abs(lower) + term)
                upper += term + _SLACK * (np.abs(upper) + term)
            lower[bad] = np.inf
            upper[bad] = np.inf
            self._progress(0)

    def _least(self, atoms: Atoms) -> Minimum | None:
        lower, upper = self._lower.ravel(), self._upper.ravel()
        survivors = Survivors(self._question(atoms), None)
        best = upper.min()
        if np.isinf(best):
            return None
        for start in range(0, len(lower), _POINTS):
            indices = start + np.flatnonzero(lower[start : start + _POINTS] <= best)
            for _ in survivors.add(indices, lower[indices], upper[indices]):
                self._progress(0)
        for _ in survivors.settle():
            self._progress(0)
        return survivors.best


def _slab_bounds(question: Question, slab: RowBlock) -> Iterator[Bounds | None]:
    """Yield None as a slab is summed, and its bounds as the last."""
    if COMPILES:
        compiled = Sums(question)
        for _ in compiled.over(slab):
            yield None
        yield compiled.bounds()
        return
    weights = weights_of(question.atoms.energies, question.acts)
    for _, found in bounds(question, weights, slab):
        yield found
