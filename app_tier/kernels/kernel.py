"""What every kernel is called with, and what it promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gridwell.domain.atoms import Atoms
    from gridwell.domain.grid import Box, Grid
    from gridwell.domain.minimum import Minimum

Progress = Callable[[int], None]  #: takes the points of the box that are done so far


class Kernel(Protocol):
    """A way to find the least potential of a box."""

    def __call__(
        self,
        grid: Grid,
        atoms: Atoms,
        box: Box,
        *,
        min_distance: float,
        softening: float,
        zones: NDArray[np.float64],
        best: Minimum | None,
        progress: Progress,
    ) -> Minimum | None:
        """The lesser of `best` and the box's least canonical potential.

        Args:
            grid: the grid.
            atoms: the atoms.
            box: a box of the grid with at least one point.
            min_distance: see `gridwell.domain.potential.potential`.
            softening: see `gridwell.domain.potential.potential`.
            zones: points in these do not qualify, see `gridwell.domain.zones`.
            best: a canonical value known already, to rule points out with; its point may lie
                anywhere in the grid.
            progress: to be called at least a few times a second.

        Returns:
            None if no point of the box qualifies and there was no `best`.
        """
