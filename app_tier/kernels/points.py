"""Single points, each with all atoms: bounds below and above their canonical values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kernels.rows import add_products, error_factor, weights_of
from gridwell.domain.zones import outside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.domain.atoms import Atoms
    from gridwell.domain.grid import Grid

_ATOMS: Final = 1 << 13  #: atoms of a block
_PAIRS: Final = 1 << 17  #: distances held together: 1 MiB, in the second cache of a core


class Points:
    """Evaluates points of a grid, with the error bound of `app_tier.kernels.rows`.

    Args:
        grid: the grid.
        atoms: the atoms.
        acts: which of them act (`app_tier.kernels.cancel.acting`).
        min_distance: as for `gridwell.domain.potential.potential`.
        softening: the same.
        zones: the same.
    """

    def __init__(
        self,
        grid: Grid,
        atoms: Atoms,
        acts: NDArray[np.bool_],
        *,
        min_distance: float,
        softening: float,
        zones: NDArray[np.float64],
    ) -> None:
        self._grid = grid
        self._zones = zones
        self._positions = atoms.positions
        self._weights = weights_of(atoms, acts)
        self._nearest = min_distance * min_distance
        self._softening = softening
        self._slack = error_factor(atoms)

    def bounds(
        self, indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
        """Which points qualify, and bounds below and above the values of those that do.

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
                    add_products(sums[part], r, self._weights[:, atoms])
            good = np.isfinite(sums[:, 1]) & outside(self._zones, x, y, z)
            value, margin = sums[good, 0], self._slack * sums[good, 1]
        return good, value - margin, value + margin
