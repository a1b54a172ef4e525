"""Lower bound of the distance from an atom to a qualifying point of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.grid import Grid

LESS: Final = 1.0 - 2.0**-30  #: of a distance that is rounded, to be surely not too large
UNDERFLOW: Final = 1e-140  #: squares of distances above this lose nothing to subnormal numbers
LEAST: Final = (
    1e-165  #: no computed distance that is not zero is less: the root of 5e-324 is 2e-162
)


def floors(
    grid: Grid, positions: NDArray[np.float64], min_distance: float, softening: float
) -> NDArray[np.float64]:
    """Return a lower bound of the distance from each atom to qualifying points, shape (N,).

    Distances below the softening count as the softening, so they are never less either.

    A point *on* an atom does not qualify without softening, and any other differs from it along
    some axis: the next coordinate of an axis is the bound then.
    """
    nearest = np.zeros(len(positions))
    squares = np.zeros(len(positions))
    other = np.full(len(positions), np.inf)
    for k in range(3):
        first, second = _gaps(grid.axis(k), positions[:, k])
        squares += first * first
        other = np.minimum(other, second)
    nearest = np.sqrt(squares)
    if softening == 0:
        nearest = np.where(squares == 0, other, nearest)
    nearest = nearest * LESS - UNDERFLOW
    return np.maximum(nearest, max(min_distance * LESS, softening * LESS, LEAST))


def _gaps(
    axis: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distances from each value to the two nearest coordinates of an axis."""
    # A coordinate's two neighbours below and above hold the nearest two, whatever lies further.
    padded = np.concatenate([[-np.inf, -np.inf], axis, [np.inf, np.inf]])
    above = np.searchsorted(axis, values) + 2
    gaps = np.abs(np.stack([padded[above + step] - values for step in (-2, -1, 0, 1)]))
    gaps.sort(axis=0)
    return gaps[0], gaps[1]


def nearest_points(
    grid: Grid,
    positions: NDArray[np.float64],
    low: tuple[int, int, int],
    high: tuple[int, int, int],
) -> NDArray[np.int64]:
    """Return the index triples of a box's points nearest to some places, roughly; (N, 3)."""
    steps = (positions - np.array(grid.origin)) / np.array(grid.spacing)
    # Clip before the cast: an atom far outside a fine grid is more steps away than int64 holds.
    nearest: NDArray[np.int64] = np.rint(np.clip(steps, low, np.array(high) - 1)).astype(np.int64)
    return nearest
