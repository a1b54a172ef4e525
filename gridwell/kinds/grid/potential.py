"""The potential of a grid point, and the one way in which it is computed: the canonical value.

For grid point p and atoms at r_i with energies e_i the potential is V(p) = sum of e_i / |p - r_i|.
The canonical value of a point is made so that it depends on no order, chunking, kernel or machine:

* p_k = origin_k + spacing_k * index_k, dx = p_x - x_i, r2 = (dx*dx + dy*dy) + dz*dz and
  r = sqrt(r2), each operation rounded once to float64 (IEEE 754) and never fused. Squares are
  products, as libm's pow differs from them in one value of a thousand;
* each term is e / max(r, softening);
* the value is the correctly rounded sum of the terms (`math.fsum`), with -0.0 as 0.0.

A point qualifies when for no atom r2 < min_distance * min_distance and, without softening, for no
atom r2 = 0, and when it lies in no zone (`gridwell.kinds.grid.exclusion`).  Kernels only *filter*:
they hand the few points that could still be the least to `least`, which decides.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.kinds.grid.exclusion import checked, outside
from gridwell.kinds.grid.minimum import Minimum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid

FORMULA_VERSION: Final = 1  #: part of a problem's identity: another formula is another problem

#: Pairs, and atoms of these, looked at together: a list of a million terms would fill 32 MB.
_PAIRS: Final = 1 << 17
_ATOMS: Final = 1 << 15


def potential(
    grid: Grid,
    atoms: Atoms,
    index: int,
    *,
    min_distance: float = 0.0,
    softening: float = 0.0,
    zones: NDArray[np.float64] | None = None,
) -> float | None:
    """Return the canonical potential of one grid point, or None if the point does not qualify.

    Args:
        grid: the grid.
        atoms: the atoms.
        index: the point's linear index.
        min_distance: points nearer than this to any atom do not qualify.
        softening: distances below this count as this, so that no term is infinite.
        zones: points in these do not qualify, see `gridwell.kinds.grid.exclusion`.
    """
    point = np.array([grid.point(index)])
    good = outside(checked(zones), *point.T)
    good &= _qualifies(_nearest(point, atoms), min_distance=min_distance, softening=softening)
    return _sum(point, atoms, softening=softening) if good.all() else None


def least(
    grid: Grid,
    atoms: Atoms,
    candidates: NDArray[np.int64],
    *,
    min_distance: float = 0.0,
    softening: float = 0.0,
    zones: NDArray[np.float64] | None = None,
) -> Minimum | None:
    """Return the least canonical potential among candidate points, or None if none qualifies.

    Exact sums are slow, so each candidate is first summed in numpy with a proved bound on the
    rounding error. Only those whose lower bound does not exceed the best value are summed exactly,
    in the order of their lower bounds.

    Source: for n terms summed in any order in precision u the error is at most
    (n - 1) u sum|t| + O(u^2) (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2);
    twice (n + 8) u covers the higher orders and the rounding of the bound itself.

    Args:
        grid: the grid.
        atoms: the atoms.
        candidates: linear indices, int64 of shape (M,), in any order.
        min_distance: see `potential`.
        softening: see `potential`.
        zones: see `potential`.
    """
    excluded = checked(zones)
    slack = 2.0 * (atoms.count + 8) * 2.0**-53
    rows = max(1, _PAIRS // min(atoms.count, _ATOMS))
    kept: list[NDArray[np.int64]] = []
    lowers: list[NDArray[np.float64]] = []
    for start in range(0, len(candidates), rows):
        block = np.asarray(candidates[start : start + rows], dtype=np.int64)
        points = _points(grid, block)
        nearest = _nearest(points, atoms)
        good = _qualifies(nearest, min_distance=min_distance, softening=softening)
        good &= outside(excluded, *points.T)
        block, points = block[good], points[good]
        if not len(block):
            continue
        lower = np.zeros(len(block))
        for terms in _quotients(points, atoms, softening=softening):
            lower += terms.sum(axis=1)
            np.abs(terms, out=terms)
            lower -= slack * terms.sum(axis=1)
        kept.append(block)
        lowers.append(lower)
    if not kept:
        return None
    indices, lower = np.concatenate(kept), np.concatenate(lowers)
    best: Minimum | None = None
    for k in np.lexsort((indices, lower)):
        if best is not None and lower[k] > best.value:
            break
        index = int(indices[k])
        point = np.array([grid.point(index)])
        found = Minimum(_sum(point, atoms, softening=softening), index)
        best = found if best is None else min(best, found)
    return best


def _points(grid: Grid, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    steps = np.unravel_index(indices, grid.shape)
    return np.column_stack([grid.origin[k] + grid.spacing[k] * steps[k] for k in range(3)])


def _blocks(atoms: Atoms) -> Iterator[slice]:
    for start in range(0, atoms.count, _ATOMS):
        yield slice(start, start + _ATOMS)


def _squares(points: NDArray[np.float64], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """r2 of every point (rows) and atom (columns)."""
    total = points[:, 0:1] - positions[:, 0]
    total *= total
    for k in (1, 2):
        d = points[:, k : k + 1] - positions[:, k]
        d *= d
        total += d
    return total


def _nearest(points: NDArray[np.float64], atoms: Atoms) -> NDArray[np.float64]:
    """Return the least r2 of every point."""
    nearest = np.full(len(points), np.inf)
    for part in _blocks(atoms):
        np.minimum(nearest, _squares(points, atoms.positions[part]).min(axis=1), out=nearest)
    return nearest


def _qualifies(
    nearest: NDArray[np.float64], *, min_distance: float, softening: float
) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = nearest >= min_distance * min_distance
    if softening == 0:
        good &= nearest > 0
    return good


def _quotients(
    points: NDArray[np.float64], atoms: Atoms, *, softening: float
) -> Iterator[NDArray[np.float64]]:
    """Yield the terms of every point (rows), some atoms (columns) after the other."""
    for part in _blocks(atoms):
        distance = _squares(points, atoms.positions[part])
        np.sqrt(distance, out=distance)
        np.maximum(distance, softening, out=distance)
        yield np.divide(atoms.energies[part], distance, out=distance)


def _sum(point: NDArray[np.float64], atoms: Atoms, *, softening: float) -> float:
    """Return the canonical value of one point, which qualifies."""
    terms = _quotients(point, atoms, softening=softening)
    # fsum of lists is up to twice as fast as of arrays.
    return math.fsum(chain.from_iterable(block[0].tolist() for block in terms)) + 0.0
