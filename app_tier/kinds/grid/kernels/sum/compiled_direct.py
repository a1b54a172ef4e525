"""Direct summation compiled by numba: every pair in float64, faster than numpy in float32.

As `app_tier.kinds.grid.kernels.sum.row_sums`, with the atoms of positive and of negative energy
summed apart: their sums P and M of |e_i| / r_i give the value, P - M, and its bound's S = P + M,
for the price of one.

**The error bound.**  With u = 2^-53, N atoms and r_i^2 of the same bits as in the canonical value:

* The canonical value is within 2.01 u S of the sum of e_i / r_i, and r_i, the rounded root, is
  within u of its own: 3.02 u S from the sum of e_i (r_i^2)^(-1/2).
* A reciprocal here is within `compiled_row_loops.ERROR`, or within 2 u where it is a root and a
  division.
* A sum of N products, in order, fused or not, is within N u / (1 - N u) of their absolute sum, and
  P - M is rounded once more.
* Together: (ERROR + (N + 6) u) S (1 + o(1)).

The bound used is 2 (ERROR + (N + 8) u) S, whose factor of 2 also covers the rounding of S.

**Qualification** is not bounded but known.  r^2 is never less than its part q = dx*dx + dy*dy, as
rounding is monotonic.  With q at least min_distance^2, and `compiled_row_loops.LEAST`, no point of
the row is too near to the atom, or on it; with q at least softening^2 (1 + 2^-50) none is softened.
The few other rows of an atom are summed with a square root and a division, which give infinity on
it. The least of their r^2 is compared as the canonical one is.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app_tier.kinds.grid.kernels.sum.compiled_row_loops import ERROR, LEAST, add_rows
from app_tier.kinds.grid.kernels.sum.row_sums import error_factor, slabs
from app_tier.kinds.grid.kernels.sum.survivors import Survivors
from app_tier.kinds.grid.kernels.sum.sweep import swept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Progress, Question
    from app_tier.kinds.grid.kernels.sum.row_sums import Bounds, RowBlock
    from gridwell.kinds.grid.grid import Box
    from gridwell.kinds.grid.minimum import Minimum

_ATOMS: Final = 512  #: of a call: some milliseconds, and tables for a core's second cache


def jit_direct_minimum(
    question: Question, box: Box, *, best: Minimum | None, progress: Progress
) -> Minimum | None:
    """Sum every pair of a box, compiled, as `app_tier.kinds.grid.kernels.kernel.Kernel`."""
    return least_of_boxes(question, (box,), best, progress)


def least_of_boxes(
    question: Question, boxes: Iterable[Box], best: Minimum | None, progress: Progress
) -> Minimum | None:
    """Return the same for several boxes: what was learned in one rules out points of the others."""
    survivors, sums = Survivors(question, best), Sums(question)

    def look(slab: RowBlock) -> Iterator[float]:
        yield from sums.over(slab)
        for _ in survivors.add(*sums.bounds()):
            yield 1.0

    return swept(chain.from_iterable(map(slabs, boxes)), look, survivors, progress)


class Sums:
    """The sums over a slab's points, one slab after the other."""

    def __init__(self, question: Question) -> None:
        self._grid, self._zones = question.grid, question.zones
        self._atoms, self._acts = question.atoms, question.acts
        # Atoms that add nothing are of either sign: on a point, or near it, they still count.
        positive = self._acts & (self._atoms.energies > 0)
        self._signs = [np.flatnonzero(chosen).astype(np.int32) for chosen in (positive, ~positive)]
        self._slack = 2.0 * ERROR + error_factor(self._atoms)
        self._softening = question.softening
        self._nearest_allowed = question.min_distance * question.min_distance
        soft = self._softening * self._softening * (1.0 + 2.0**-50)
        self._careful = max(LEAST, self._nearest_allowed, soft)
        self._total = np.empty((2, 0, 0))
        self._nearest = np.empty((0, 0))
        self._free = np.empty((0, 0), dtype=np.bool_)
        self._indices = np.empty((0, 0), dtype=np.int64)

    def over(self, slab: RowBlock) -> Iterator[float]:
        """Sum over a slab's points, and yield again and again what share of the work is done."""
        x, y, z = slab.coordinates(self._grid)
        self._free = slab.outside(self._grid, self._zones)
        self._indices = slab.indices(self._grid)
        shape = len(slab.ix), len(slab.iz)
        self._total = np.zeros((2, *shape))
        self._nearest = np.full(shape, np.inf)
        done = 0
        for total, chosen in zip(self._total, self._signs, strict=True):
            for start in range(0, len(chosen), _ATOMS):
                part = chosen[start : start + _ATOMS]
                ax, ay, az = self._atoms.positions[part].T
                weights = np.where(self._acts[part], np.abs(self._atoms.energies[part]), 0.0)
                q = _squares(x[:, None], ax)
                q += _squares(y[:, None], ay)
                dz = _squares(z, az[:, None])
                add_rows(total, self._nearest, q, dz, weights, self._careful, self._softening)
                done += len(part)
                yield done / self._atoms.count

    def bounds(self) -> Bounds:
        """As `row_sums.bounds`: which points of the slab qualify, and bounds."""
        good = self._free & (self._nearest >= self._nearest_allowed)
        if self._softening == 0:
            good &= self._nearest > 0
        plus, minus = self._total[:, good]
        margin = self._slack * (plus + minus)
        value = plus - minus
        return self._indices[good], value - margin, value + margin


def _squares(places: NDArray[Any], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(place - other)^2, each operation rounded once."""
    d: NDArray[np.float64] = places - others
    d *= d
    return d
