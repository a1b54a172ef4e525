"""Choice of the kernel that `auto` means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.cost import is_searched

if TYPE_CHECKING:
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Box, Grid

#: The compiled search is faster than `jit_direct` from so many pairs and points on, and up to so
#: many atoms for each point of the grid: measured on cubes of 12 to 64 points with 30 to 100,000
#: signed atoms.  On 16^3 points it is no faster, on 24^3 by 1.2 to 2.8 times, with three atoms for
#: each of 32^3 points as fast.
_COMPILED_PAIRS: Final = 1_000_000
_COMPILED_POINTS: Final = 10_000
_COMPILED_DENSITY: Final = 2.0
#: Below so many pairs single precision gains less than the tenth of a millisecond to set it up.
_TINY: Final = 200_000


def is_large(atoms: Atoms, box: Box) -> bool:
    """Return True if a box is large enough for more than the plain sum."""
    return box.points * atoms.count >= _TINY


def fastest(grid: Grid, atoms: Atoms, box: Box, *, compiled: bool = False) -> str:
    """Return the name of the kernel that is expected to be the fastest for a box.

    It need not be right: a search takes about twice as long as summing at most.

    Args:
        grid: the grid.
        atoms: the atoms.
        box: the part of the grid to search.
        compiled: whether there are compiled kernels.  Tiny boxes are not worth the tenth of a
            second that a process takes to load them.
    """
    pairs = box.points * atoms.count
    if not is_large(atoms, box):
        return "direct"
    if compiled:
        searched = (
            pairs >= _COMPILED_PAIRS
            and box.points >= _COMPILED_POINTS
            and atoms.count <= _COMPILED_DENSITY * grid.points
        )
        return "jit_branch_and_bound" if searched else "jit_direct"
    if is_searched(box.points, atoms.count, grid_points=grid.points):
        return "branch_and_bound"
    return "single"
