"""Single points, each with all atoms: bounds below and above their canonical values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.sum.row_sums import add_products, error_factor, weights_of
from gridwell.kinds.grid.exclusion import outside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Question

_ATOMS: Final = 1 << 13  #: atoms of a block
_PAIRS: Final = 1 << 17  #: distances held together: 1 MiB, in the second cache of a core


class Points:
    """Evaluates points of a grid, with the error bound of `sum.row_sums`.

    Args:
        question: which potential.
    """

    def __init__(self, question: Question) -> None:
        self._grid, self._zones = question.grid, question.zones
        self._positions, self._energies = question.atoms.positions, question.atoms.energies
        self._acts = question.acts
        self._nearest = question.min_distance * question.min_distance
        self._softening = question.softening
        self._slack = error_factor(question.atoms)

    def bounds(
        self, indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
        """Return which points qualify, and lower and upper bounds of the values of those.

        Args:
            indices: linear indices, shape (M,), a few hundred at most.
        """
        grid = self._grid
        steps = np.unravel_index(indices, grid.shape)
        x, y, z = (
            np.asarray(grid.origin[k] + grid.spacing[k] * steps[k], dtype=np.float64)
            for k in range(3)
        )
        sums = np.zeros((len(indices), 2))
        total = len(self._positions)
        # 1/0 on an atom, and then inf - inf: those points are told by their S.
        with np.errstate(divide="ignore", invalid="ignore"):
            for start in range(0, total, _ATOMS):
                atoms = slice(start, min(start + _ATOMS, total))
                ax, ay, az = self._positions[atoms].T
                weights = weights_of(self._energies[atoms], self._acts[atoms])
                rows = max(1, _PAIRS // len(ax))
                for top in range(0, len(indices), rows):
                    part = slice(top, top + rows)
                    r = x[part, None] - ax
                    r *= r
                    for place, column in ((y, ay), (z, az)):
                        d = place[part, None] - column
                        d *= d
                        r += d
                    if self._nearest > 0:
                        sums[part, 1][r.min(axis=1) < self._nearest] = np.inf
                    np.sqrt(r, out=r)
                    if self._softening > 0:
                        np.maximum(r, self._softening, out=r)
                    np.reciprocal(r, out=r)
                    add_products(sums[part], r, weights)
            good = np.isfinite(sums[:, 1]) & outside(self._zones, x, y, z)
            value, margin = sums[good, 0], self._slack * sums[good, 1]
        return good, value - margin, value + margin
