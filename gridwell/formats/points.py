"""Single points of a map as CSV."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gridwell.domain.grid import Grid


def points_csv(grid: Grid, points: Iterable[tuple[int, float | None]]) -> Iterator[bytes]:
    """Points as CSV with a header: index along each axis, coordinates, potential.

    Numbers keep every bit.  A point without a value has an empty last field.

    Args:
        grid: that the points are of.
        points: each linear index with its potential, which may be None or not finite.
    """
    yield b"ix,iy,iz,x,y,z,potential\r\n"
    for index, value in points:
        (ix, iy, iz), (x, y, z) = grid.triple(index), grid.point(index)
        shown = "" if value is None or not math.isfinite(value) else repr(float(value))
        yield f"{ix},{iy},{iz},{x!r},{y!r},{z!r},{shown}\r\n".encode()
