"""Grids and boxes: where the points are, and how they are numbered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Box:
    """A block of grid indices: from `low` (inclusive) to `high` (exclusive) along each axis."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Points along each axis."""
        (x0, y0, z0), (x1, y1, z1) = self.low, self.high
        return x1 - x0, y1 - y0, z1 - z0

    @property
    def points(self) -> int:
        """Number of grid points in the box."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Grid:
    """A regular 3-D grid of points.

    Point (ix, iy, iz) lies at ``origin + spacing * (ix, iy, iz)``: the origin is the centre of the
    first point, not the corner of a cell.  Points are numbered in C order, z fastest.

    Raises:
        InvalidJob: if a value lies outside `gridwell.kinds.grid.limits`.
    """

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        if faults := tuple(_faults(self)):
            raise InvalidJob(*faults)

    @classmethod
    def cube(cls, n: int) -> Grid:
        """Return a grid of n x n x n points at the integer coordinates 0..n-1."""
        return cls((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (n, n, n))

    @property
    def points(self) -> int:
        """Number of points of the grid."""
        return math.prod(self.shape)

    @property
    def box(self) -> Box:
        """The box that holds every point."""
        return Box((0, 0, 0), self.shape)

    def axis(self, k: int) -> NDArray[np.float64]:
        """Coordinates along axis `k`: one rounding for the product, one for the sum."""
        steps = np.arange(self.shape[k], dtype=np.float64)
        return self.origin[k] + self.spacing[k] * steps

    def linear(self, ix: int, iy: int, iz: int) -> int:
        """Return the linear index of point (ix, iy, iz)."""
        return (ix * self.shape[1] + iy) * self.shape[2] + iz

    def triple(self, index: int) -> tuple[int, int, int]:
        """Return the (ix, iy, iz) of linear index `index`."""
        rest, iz = divmod(index, self.shape[2])
        ix, iy = divmod(rest, self.shape[1])
        return ix, iy, iz

    def point(self, index: int) -> tuple[float, float, float]:
        """Return the coordinates of linear index `index`, as `axis` gives them."""
        x, y, z = (
            self.origin[k] + self.spacing[k] * float(step)
            for k, step in enumerate(self.triple(index))
        )
        return x, y, z


def _faults(grid: Grid) -> Iterator[Fault]:
    for k, origin in enumerate(grid.origin):
        if not abs(origin) <= limits.MAX_COORDINATE:
            yield Fault(
                f"/grid/origin/{k}",
                f"{origin!r} is not a number between -{limits.MAX_COORDINATE:g} and "
                f"{limits.MAX_COORDINATE:g}; shift the coordinates",
            )
    for k, spacing in enumerate(grid.spacing):
        if not limits.MIN_SPACING <= spacing <= limits.MAX_SPACING:
            yield Fault(
                f"/grid/spacing/{k}",
                f"{spacing!r} is not a number between {limits.MIN_SPACING:g} and "
                f"{limits.MAX_SPACING:g}; use another unit of length",
            )
    for k, length in enumerate(grid.shape):
        if not 1 <= length <= limits.MAX_AXIS:
            yield Fault(
                f"/grid/shape/{k}",
                f"{length!r} is not between 1 and {limits.MAX_AXIS} points along an axis",
            )
    # Where an axis is too long already, their product may have too many digits to be written.
    if max(grid.shape) <= limits.MAX_AXIS and grid.points > limits.MAX_POINTS:
        yield Fault(
            "/grid/shape",
            f"{grid.points} points are more than {limits.MAX_POINTS}; "
            "use a coarser spacing or split the grid into several jobs",
        )
