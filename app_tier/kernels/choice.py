"""Which kernel `auto` means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.domain.cost import is_searched

if TYPE_CHECKING:
    from gridwell.domain.atoms import Atoms
    from gridwell.domain.grid import Box, Grid

#: Below so many pairs single precision gains less than the tenth of a millisecond to set it up.
_TINY: Final = 200_000


def fastest(grid: Grid, atoms: Atoms, box: Box) -> str:
    """The name of the kernel that is expected to be the fastest for a box.

    It need not be right: `branch_and_bound` never takes twice as long as `direct`.
    """
    if box.points * atoms.count < _TINY:
        return "direct"
    if is_searched(box.points, atoms.count, grid_points=grid.points):
        return "branch_and_bound"
    return "single"
