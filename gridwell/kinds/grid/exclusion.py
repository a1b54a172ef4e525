"""Zones: spheres in which no point qualifies, as those around points that were found already.

A zone excludes a point as `min_distance` around an atom does, with the same operations. With r2 =
(dx*dx + dy*dy) + dz*dz from its centre, points with r2 < radius * radius or r2 = 0 are excluded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS: Final = 4
#: No zone at all.  Zones are float64 of shape (M, 4): x, y and z of the centre, and the radius.
NO_ZONES: Final = np.empty((0, _COLUMNS))


def checked(zones: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return the zones as an array, none of them for None.

    Raises:
        ValueError: if they are not of shape (M, 4), or a number is not finite or a radius negative.
    """
    if zones is None:
        return NO_ZONES
    table = np.asarray(zones, dtype=np.float64)
    if table.ndim != NO_ZONES.ndim or table.shape[1] != _COLUMNS:
        raise ValueError(f"zones of shape {table.shape} are not rows of [x, y, z, radius]")
    if not np.isfinite(table).all() or (table[:, 3] < 0).any():
        raise ValueError("a zone has a centre that is not finite, or a radius that is no distance")
    return table


def outside(
    zones: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return True for points in no zone, in the shape that the coordinates broadcast to.

    Args:
        zones: shape (M, 4).
        x: first coordinates.
        y: second ones, broadcast against the first.
        z: third ones, broadcast against both.
    """
    free = np.ones(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.bool_)
    for cx, cy, cz, radius in zones.tolist() if free.size else ():
        square = radius * radius
        dx, dy, dz = x - cx, y - cy, z - cz
        q = dx * dx + dy * dy
        dz *= dz
        # Rounding is monotonic, so no r2 is less than the sum of the least of its parts.
        least = q.min() + dz.min()
        if least < square or least == 0:
            r2 = q + dz
            free &= (r2 >= square) & (r2 > 0)
    return free


def engulfed(
    zones: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return True for boxes that lie wholly in one zone, shape (M,).

    Rounding is monotonic, so r2 of a box's farthest corner, as computed, is not less than that of
    any of its points: the test is exact.

    Args:
        zones: any number of them.
        low: least coordinates of each box, shape (M, 3).
        high: greatest coordinates.
    """
    inside = np.zeros(len(low), dtype=np.bool_)
    for *centre, radius in zones.tolist():
        far = np.maximum(np.abs(low - centre), np.abs(high - centre))
        far *= far
        r2 = far[:, 0] + far[:, 1] + far[:, 2]
        inside |= (r2 < radius * radius) | (r2 == 0)
    return inside
