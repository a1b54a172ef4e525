"""The kernels' interface: arguments and promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from app_tier.kinds.grid.kernels.cancelling_atoms import acting
from gridwell.kinds.grid.exclusion import NO_ZONES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Box, Grid
    from gridwell.kinds.grid.minimum import Minimum

Progress = Callable[[int], None]  #: takes the points of the box that are done so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question to every box of a grid: the potential, and the points that qualify.

    Attributes:
        grid: the grid.
        atoms: the atoms.
        min_distance: see `gridwell.kinds.grid.potential.potential`.
        softening: see `gridwell.kinds.grid.potential.potential`.
        zones: points in these do not qualify, see `gridwell.kinds.grid.exclusion`.
    """

    grid: Grid
    atoms: Atoms
    min_distance: float = 0.0
    softening: float = 0.0
    zones: NDArray[np.float64] = field(default_factory=lambda: NO_ZONES)

    @property
    def acts(self) -> NDArray[np.bool_]:
        """True for each atom that acts (`app_tier.kinds.grid.kernels.cancelling_atoms.acting`)."""
        return acting(self.atoms)


class Kernel(Protocol):
    """A way to find the least potential of a box."""

    def __call__(
        self, question: Question, box: Box, *, best: Minimum | None, progress: Progress
    ) -> Minimum | None:
        """Return the lesser of `best` and the box's least canonical potential.

        Args:
            question: which potential.
            box: a box of the grid with at least one point.
            best: a canonical value known already, to rule points out with; its point may lie
                anywhere in the grid.
            progress: to be called at least a few times a second.

        Returns:
            None if no point of the box qualifies and there was no `best`.
        """
