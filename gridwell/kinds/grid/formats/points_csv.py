"""Points of a map as CSV: a few, or all of them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.formats.maps.value_blocks import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from gridwell.kinds.grid.grid import Grid

_HEADER: Final = b"ix,iy,iz,x,y,z,potential\r\n"
_PIECE: Final = 30_000  #: values per piece of bytes, at least


def points_csv(grid: Grid, points: Iterable[tuple[int, float | None]]) -> Iterator[bytes]:
    """Points as CSV with a header: index along each axis, coordinates, potential.

    Numbers keep every bit.  A point without a value has an empty last field.

    Args:
        grid: that the points are of.
        points: each linear index with its potential, which may be None or not finite.
    """
    yield _HEADER
    for index, value in points:
        (ix, iy, iz), (x, y, z) = grid.triple(index), grid.point(index)
        yield f"{ix},{iy},{iz},{x!r},{y!r},{z!r},{_shown(value)}\r\n".encode()


def map_csv(grid: Grid, values: Iterable[NDArray[np.float64]]) -> Iterator[bytes]:
    """All points of a grid as `points_csv` writes them, in C order and in pieces.

    Args:
        grid: the grid.
        values: the potentials in C order, in arrays of any sizes.

    Raises:
        WrongCount: if there are more or fewer values than points.
    """
    yield _HEADER
    xs, ys, zs = (list(map(repr, grid.axis(k).tolist())) for k in range(3))
    per_row = len(zs)
    rows = itertools.product(range(len(xs)), range(len(ys)))
    for block in pieces(grid, values, per_row * max(1, _PIECE // per_row)):
        numbers = iter(block.tolist())
        lines = [
            f"{ix},{iy},{iz},{xs[ix]},{ys[iy]},{z},{_shown(value)}\r\n"
            for ix, iy in itertools.islice(rows, len(block) // per_row)
            for iz, (z, value) in enumerate(zip(zs, numbers, strict=False))  # row by row
        ]
        yield "".join(lines).encode()


def _shown(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else repr(float(value))
