"""The map that a job kept, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gridwell.client.status import decoded

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class GridMap:
    """The potential of every point of a grid.

    Point (i, j, k) lies at `origin + spacing * (i, j, k)`.
    """

    potential: NDArray[np.float64]  #: in the grid's shape; not a number where a point has none
    origin: NDArray[np.float64]  #: x, y, z of the first point
    spacing: NDArray[np.float64]  #: between neighbours along each axis

    @classmethod
    def load(cls, path: Path) -> GridMap:
        """The map in an NPZ file as the service writes it.

        Raises:
            InvalidMessage: if it is none.
        """

        def read() -> GridMap:
            with np.load(path, allow_pickle=False) as file:
                return cls(file["potential"], file["origin"], file["spacing"])

        return decoded("a map", read)
