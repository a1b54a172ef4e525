"""Sums over all atoms, row by row, for direct summation and full maps.

The grid is separable. So dx*dx + dy*dy is computed once for each row (the points that share ix and
iy) and atom, and dz*dz once for each iz and atom. A point costs one addition, one square root, one
reciprocal and its share of a matrix product.  Blocks are small enough to stay in a core's cache.

**The error bound.**  With u = 2^-53, N atoms, and S = sum |e_i| / r_i at a point:

* r_i has the same bits as in the canonical value: the same operations in the same order.
* A canonical term is e/r (1 + d), |d| <= u, and their sum is rounded once more: together the
  canonical value is within 2.01 u S of sum e_i / r_i.
* Here 1/r is rounded once (u), and a product of vectors of length N, summed in any order, blocked
  or with fused operations, is within N u / (1 - N u) of sum |e_i| fl(1/r_i) (Higham, Accuracy and
  Stability of Numerical Algorithms, section 3.1).
* So the two differ by at most (N + 4) u S (1 + o(1)), where N u <= 1e-10 at the most atoms allowed.
* S is computed likewise, as the second column of the same product, within a factor of 1 +- 2 N u.

The bound used is 2 (N + 8) u S: the factor of 2 also covers the rounding of S and of the bound
itself.  Nothing overflows or underflows within `gridwell.kinds.grid.limits`: r is 0 or at least
2e-162 and at most 1.2e14 (65,536 steps of 1e9 along each axis), so 1/r lies between 8e-15 and
5e161.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridwell.kinds.grid.exclusion import outside
from gridwell.kinds.grid.limits import MIN_ENERGY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Question
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Box, Grid

_ATOMS: Final = 256  #: atoms of a block
_PAIRS: Final = 1 << 16  #: distances held together: 512 KiB, in the second cache of a core
_LENGTH: Final = 64  #: points of a row that are looked at together
_POINTS: Final = 1 << 13  #: points of a slab, whose sums are finished together
_REPORT: Final = 16  #: blocks of pairs between two calls of progress: some milliseconds

Weights = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
Bounds = tuple["NDArray[np.int64]", "NDArray[np.float64]", "NDArray[np.float64]"]


def error_factor(atoms: Atoms) -> float:
    """Return the error bound of a sum, as a multiple of its S."""
    return 2.0 * (atoms.count + 8) * 2.0**-53


def weights_of(energies: NDArray[np.float64], acts: NDArray[np.bool_]) -> Weights:
    """Return the weights of 1/r in the potential and in S, both of shape (N,).

    An atom that adds nothing keeps a weight in S, so that S is infinite on it as on any other.
    """
    sizes = np.abs(energies)
    if acts.all():
        return energies, sizes
    return np.where(acts, energies, 0.0), np.where(acts, sizes, MIN_ENERGY)


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Some rows of a box, and of each a piece: C-ordered positions of `rows` and of `z`."""

    ix: NDArray[np.int64]
    iy: NDArray[np.int64]
    iz: NDArray[np.int64]

    @property
    def points(self) -> int:
        """Number of points."""
        return len(self.ix) * len(self.iz)

    def indices(self, grid: Grid) -> NDArray[np.int64]:
        """Return the points' linear indices, shape (rows, z)."""
        _, ny, nz = grid.shape
        return ((self.ix * ny + self.iy) * nz)[:, None] + self.iz

    def coordinates(self, grid: Grid) -> list[NDArray[Any]]:
        """Give x and y of each row, and z of each point of one.

        As `Grid.axis` gives them: one rounding for the product, one for the sum.
        """
        return [
            grid.origin[k] + grid.spacing[k] * steps
            for k, steps in enumerate((self.ix, self.iy, self.iz))
        ]

    def outside(self, grid: Grid, zones: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True for points in no zone, shape (rows, z)."""
        x, y, z = self.coordinates(grid)
        return outside(zones, x[:, None], y[:, None], z)


def add_products(target: NDArray[np.float64], r: NDArray[Any], weights: Weights) -> None:
    """Add the products of reciprocals, shape (..., K), with both weights of K atoms.

    Two products with a vector are twice as fast as one with a matrix of two columns.
    """
    flat = r.reshape(-1, r.shape[-1])
    for k, weight in enumerate(weights):
        target[..., k] += (flat @ weight).reshape(r.shape[:-1])


def slabs(box: Box) -> Iterator[RowBlock]:
    """Yield the box in slabs that hold every point once."""
    (nx, ny, nz), (x0, y0, z0) = box.shape, box.low
    height = max(1, _POINTS // min(nz, _LENGTH))
    for first in range(0, nx * ny, height):
        row = np.arange(first, min(first + height, nx * ny), dtype=np.int64)
        for z in range(0, nz, _LENGTH):
            iz = np.arange(z, min(z + _LENGTH, nz), dtype=np.int64)
            yield RowBlock(x0 + row // ny, y0 + row % ny, z0 + iz)


def sums(
    grid: Grid,
    atoms: Atoms,
    weights: Weights,
    slab: RowBlock,
    min_distance: float,
    softening: float,
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Yield the share of the slab's work that is done, and the sums so far; they end at 1.0.

    The sums are of shape (rows, z, 2): the potential, and S, which is infinite or not a number
    where a point does not qualify.
    """
    energies, sizes = weights
    rows, length = len(slab.ix), len(slab.iz)
    x, y, z = slab.coordinates(grid)
    nearest_allowed = min_distance * min_distance
    total = np.zeros((rows, length, 2))
    width = min(atoms.count, _ATOMS)
    height = max(1, min(rows, _PAIRS // (width * length)))
    scratch = np.empty(height * length * width)
    blocks = 0
    for start in range(0, atoms.count, width):
        stop = min(start + width, atoms.count)
        ax, ay, az = atoms.positions[start:stop].T
        dz = z[:, None] - az
        dz *= dz
        for top in range(0, rows, height):
            part = slice(top, min(top + height, rows))
            q = x[part, None] - ax
            q *= q
            d = y[part, None] - ay
            d *= d
            q += d
            shape = (len(q), length, stop - start)
            r = scratch[: len(q) * length * (stop - start)].reshape(shape)
            np.add(q[:, None, :], dz, out=r)
            target = total[part]
            if nearest_allowed > 0:
                target[..., 1][r.min(axis=2) < nearest_allowed] = np.inf
            np.sqrt(r, out=r)
            if softening > 0:
                np.maximum(r, softening, out=r)
            np.reciprocal(r, out=r)
            add_products(target, r, (energies[start:stop], sizes[start:stop]))
            blocks += 1
            if blocks % _REPORT == 0:
                share = (start + (stop - start) * part.stop / rows) / atoms.count
                if share < 1.0:
                    yield share, total
    yield 1.0, total


def bounds(
    question: Question, weights: Weights, slab: RowBlock
) -> Iterator[tuple[float, Bounds | None]]:
    """Yield the share of a slab's work that is done, and with the last, 1.0, what is known.

    That are the linear indices of the points that qualify, and bounds below and above their
    canonical values.
    """
    grid, atoms = question.grid, question.atoms
    options = question.min_distance, question.softening
    for share, found in sums(grid, atoms, weights, slab, *options):
        if share < 1.0:
            yield share, None
            continue
        value, size = found[..., 0], found[..., 1]
        good = np.isfinite(size) & slab.outside(grid, question.zones)
        value, margin = value[good], error_factor(atoms) * size[good]
        yield share, (slab.indices(grid)[good], value - margin, value + margin)
