"""Full maps: the potential of every point of a box, and not just the least one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app_tier.kinds.grid.kernels.cancelling_atoms import acting
from app_tier.kinds.grid.kernels.sum.row_sums import slabs, sums, weights_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Progress
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Box, Grid


def potential_map(
    grid: Grid,
    atoms: Atoms,
    box: Box,
    *,
    min_distance: float = 0.0,
    softening: float = 0.0,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Return the potentials of a box's points, float64 in the box's shape.

    Each differs from the canonical potential by at most 2 (N + 8) 2^-53 sum |e_i| / r_i, with N
    atoms: see `app_tier.kinds.grid.kernels.sum.row_sums`.  So the least of a map need not be the
    least potential, of two that are that near; `find_minimum` is exact.

    Args:
        grid: the grid.
        atoms: the atoms.
        box: a box of the grid.
        min_distance: as for `gridwell.kinds.grid.potential.potential`.
        softening: the same.
        progress: called several times a second with the points done so far.

    Returns:
        Not a number at points that do not qualify: nearer than `min_distance` to an atom or,
        without softening, on one.
    """
    found = np.empty(box.shape)
    weights = weights_of(atoms.energies, acting(atoms))
    done = 0
    # 1/0 on an atom, and then inf - inf: those points are told by their S.
    with np.errstate(divide="ignore", invalid="ignore"):
        for slab in slabs(box):
            x, y = slab.ix[:, None] - box.low[0], slab.iy[:, None] - box.low[1]
            for share, total in sums(grid, atoms, weights, slab, min_distance, softening):
                if progress is not None:
                    progress(done + int(slab.points * share))
                if share == 1.0:
                    good = np.isfinite(total[..., 1])
                    found[x, y, slab.iz - box.low[2]] = np.where(good, total[..., 0], np.nan)
            done += slab.points
    return found
