"""Values of a grid's points as they come, in C order and in pieces of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from gridwell.kinds.grid.grid import Grid


class WrongCount(ValueError):  # noqa: N818 - named for what it is
    """There are not as many values as the grid has points: the file would lie about its size."""


def pieces(
    grid: Grid, slabs: Iterable[NDArray[np.float64]], length: int
) -> Iterator[NDArray[np.float64]]:
    """Yield the same values in one-dimensional pieces of one length, but for the last one.

    Raises:
        WrongCount: at the end, or as soon as there are too many.  A writer then stops in the
            middle, so that its output is not taken for a whole file.
    """
    seen = held = 0
    waiting: list[NDArray[np.float64]] = []
    for slab in slabs:
        values = np.ascontiguousarray(slab, dtype=np.float64).reshape(-1)
        seen, held = seen + len(values), held + len(values)
        if seen > grid.points:
            break
        waiting.append(values)
        if held >= length:
            joined = np.concatenate(waiting)
            whole = held - held % length
            for start in range(0, whole, length):
                yield joined[start : start + length]
            waiting, held = [joined[whole:]], held - whole
    if seen != grid.points:
        raise WrongCount(f"{seen} values were given for the {grid.points} points of the grid")
    if held:
        yield np.concatenate(waiting)


def without_gaps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values, 0 where a point has none: text formats have no word for that."""
    return np.where(np.isfinite(values), values, 0.0)
