"""Boxes of a grid cut into parts, as products of pieces of the three axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.grid import Box

T = TypeVar("T", bound=np.generic)

Axes = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]"]

POINTS: Final = 64  #: a box of at most so many points is cut into its points
_HALVES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Pieces of one axis: indices from `start` to `stop`, coordinates from `low` to `high`."""

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


Cut = tuple[Pieces, Pieces, Pieces]


def whole(axes: Axes, box: Box) -> Cut:
    """Return a box as the only part of itself."""
    x, y, z = (
        _pieces(axis, np.array([low, high]))
        for axis, low, high in zip(axes, box.low, box.high, strict=True)
    )
    return x, y, z


def cut(axes: Axes, box: Box) -> Cut:
    """Return a small box cut into points, a larger one in halves along those axes where it is long.

    Halving only the axes of more than half the greatest length makes boxes cubes: the bounds
    depend on their diagonals.
    """
    if box.points <= POINTS:
        ends = [np.arange(low, high + 1) for low, high in zip(box.low, box.high, strict=True)]
    else:
        lengths = [
            float(axis[high - 1] - axis[low])
            for axis, low, high in zip(axes, box.low, box.high, strict=True)
        ]
        # Far from zero coordinates may round to one another: then only the counts are left.
        if not max(lengths) > 0:
            lengths = [float(count - 1) for count in box.shape]
        ends = [
            np.array([low, (low + high) // 2, high])
            if length > max(lengths) / _HALVES and high - low > 1
            else np.array([low, high])
            for low, high, length in zip(box.low, box.high, lengths, strict=True)
        ]
    x, y, z = (_pieces(axis, end) for axis, end in zip(axes, ends, strict=True))
    return x, y, z


def parts(pieces: Cut) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the parts' first indices and the ends of their indices, both of shape (M, 3)."""
    return product([p.start for p in pieces]), product([p.stop for p in pieces])


def product(columns: list[NDArray[T]]) -> NDArray[T]:
    """All triples of one value of each column, the last fastest, of shape (M, 3)."""
    a, b, c = (len(column) for column in columns)
    out = np.empty((a, b, c, 3), dtype=columns[0].dtype)
    out[..., 0] = columns[0][:, None, None]
    out[..., 1] = columns[1][:, None]
    out[..., 2] = columns[2]
    return out.reshape(-1, 3)


def _pieces(axis: NDArray[np.float64], ends: NDArray[np.int64]) -> Pieces:
    start, stop = ends[:-1], ends[1:]
    return Pieces(start=start, stop=stop, low=axis[start], high=axis[stop - 1])
