"""Which kernel `auto` means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.domain.cost import is_searched

if TYPE_CHECKING:
    from gridwell.domain.atoms import Atoms
    from gridwell.domain.grid import Box, Grid

#: With `jit_direct` all of so many pairs are summed before a search gains: measured on cubes of 24
#: to 48 points, where it is 1.3 to 2.7 times as fast at 1.5e7 pairs, and the search 1.4 to 2 times
#: at 1e8.
_COMPILED: Final = 50_000_000
#: Below so many pairs single precision gains less than the tenth of a millisecond to set it up.
_TINY: Final = 200_000


def fastest(grid: Grid, atoms: Atoms, box: Box, *, compiled: bool = False) -> str:
    """The name of the kernel that is expected to be the fastest for a box.

    It need not be right: `branch_and_bound` never takes twice as long as `direct`.

    Args:
        grid: the grid.
        atoms: the atoms.
        box: the part of the grid to search.
        compiled: whether there is `jit_direct`.  Tiny boxes are not worth the tenth of a second
            that a process takes to load it.
    """
    pairs = box.points * atoms.count
    if pairs < _TINY:
        return "direct"
    if compiled and pairs < _COMPILED:
        return "jit_direct"
    if is_searched(box.points, atoms.count, grid_points=grid.points):
        return "branch_and_bound"
    return "jit_direct" if compiled else "single"
