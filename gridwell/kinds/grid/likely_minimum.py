"""A point that is likely to be low, found cheaply, so that kernels can drop most others early.

A hint and no more: kernels evaluate it canonically themselves, so a poor one costs time and never
changes an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.kinds.grid.potential import least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid
    from gridwell.kinds.grid.problem import Problem

_WELLS: Final = 24  #: with the corners 32 evaluations, so the cost stays a few sums over the atoms


def find_incumbent(problem: Problem) -> int | None:
    """Return the best of the grid's corners and the points nearest to the most negative atoms.

    Minima sit beside strongly negative atoms, or, where energies are positive, at the rim.

    Returns:
        Its linear index, or None if none of these points qualifies.
    """
    # Where negative ions are placed, wells are beside positive atoms.
    atoms = problem.atoms if problem.series is None else problem.series.acting(problem.atoms)
    found = least(
        problem.grid,
        atoms,
        _likely_points(problem.grid, atoms),
        min_distance=problem.min_distance,
        softening=problem.softening,
    )
    return None if found is None else found.index


def _likely_points(grid: Grid, atoms: Atoms) -> NDArray[np.int64]:
    last = np.array(grid.shape) - 1
    corners = np.array(np.meshgrid(*((0, end) for end in last), indexing="ij")).reshape(3, -1).T
    count = min(_WELLS, atoms.count)
    deepest = np.argpartition(atoms.energies, count - 1)[:count]
    wells = deepest[atoms.energies[deepest] < 0]
    steps = (atoms.positions[wells] - np.array(grid.origin)) / np.array(grid.spacing)
    # Clip before the cast: an atom far outside a fine grid is more steps away than int64 holds.
    nearest = np.rint(np.clip(steps, 0, last)).astype(np.int64)
    places = np.concatenate([corners, nearest])
    indices: NDArray[np.int64] = np.unique(np.ravel_multi_index(tuple(places.T), grid.shape))
    return indices.astype(np.int64)
