"""A grid that fits around atoms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.kinds.grid.atoms import Atoms

_DIGITS: Final = 3  #: of the spacing that an error proposes


def fit(atoms: Atoms, *, spacing: float, margin: float) -> Grid:
    """Return the smallest grid of a spacing that covers all atoms and a margin around them.

    Along each axis the first point lies at the least coordinate less the margin. The last point
    reaches the largest coordinate plus the margin, or passes it by less than one spacing. All of it
    is float64, so the same atoms give the same grid.

    Args:
        atoms: what to cover.
        spacing: of the points, the same along each axis.
        margin: kept free around the atoms on each side, in the atoms' unit of length; 0 or more.

    Raises:
        InvalidJob: if the spacing or margin lies outside the limits, or the grid would have too
            many points; the error names a spacing that would do.
    """
    if faults := tuple(_faults(spacing, margin)):
        raise InvalidJob(*faults)
    low = [float(value) - margin for value in atoms.positions.min(axis=0)]
    high = [float(value) + margin for value in atoms.positions.max(axis=0)]
    shape = _shape(low, high, spacing)
    if not _allowed(shape):
        x, y, z = shape
        raise InvalidJob(
            Fault(
                "/fit/spacing",
                f"a spacing of {spacing!r} gives {x} x {y} x {z} points around these atoms, more "
                f"than {limits.MAX_POINTS}, or than {limits.MAX_AXIS} along an axis; "
                f"a spacing of {_finest(low, high):g} would do, or a smaller margin",
            )
        )
    return Grid((low[0], low[1], low[2]), (spacing, spacing, spacing), shape)


def _faults(spacing: float, margin: float) -> Iterator[Fault]:
    if not limits.MIN_SPACING <= spacing <= limits.MAX_SPACING:
        yield Fault(
            "/fit/spacing",
            f"{spacing!r} is not a number between {limits.MIN_SPACING:g} and "
            f"{limits.MAX_SPACING:g}; use another unit of length",
        )
    if not 0 <= margin <= limits.MAX_DISTANCE:
        yield Fault("/fit/margin", f"{margin!r} is not between 0 and {limits.MAX_DISTANCE:g}")


def _shape(low: list[float], high: list[float], spacing: float) -> tuple[int, int, int]:
    """Points along each axis."""
    x, y, z = (_length(a, b, spacing) for a, b in zip(low, high, strict=True))
    return x, y, z


def _length(low: float, high: float, spacing: float) -> int:
    cells = max(0, math.ceil((high - low) / spacing))
    # The quotient is rounded, the points are too: the last must really reach the end, and the one
    # before it must not.
    while low + spacing * float(cells) < high:
        cells += 1
    while cells > 0 and low + spacing * float(cells - 1) >= high:
        cells -= 1
    return cells + 1


def _allowed(shape: tuple[int, int, int]) -> bool:
    return max(shape) <= limits.MAX_AXIS and math.prod(shape) <= limits.MAX_POINTS


def _finest(low: list[float], high: list[float]) -> float:
    """Return a short number that is nearly the least spacing with an allowed number of points."""
    extents = [b - a for a, b in zip(low, high, strict=True)]
    coarse = max(extents)  # two points along an axis
    fine = coarse / limits.MAX_POINTS
    while coarse / fine > 1 + 10.0**-_DIGITS:
        middle = math.sqrt(fine * coarse)
        if _allowed(_shape(low, high, middle)):
            coarse = middle
        else:
            fine = middle
    step = 10.0 ** (math.floor(math.log10(coarse)) - _DIGITS + 1)
    return math.ceil(coarse / step) * step
