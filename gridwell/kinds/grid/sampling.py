"""Points at which a reported minimum is checked.  Pure: the seed is passed in.

A grid of few pairs of points and atoms is checked whole.  Of a larger one the points are drawn at
random, beside those where a lower value is likeliest: the problem's incumbent and the neighbours of
the reported point.  A point whose potential lies below the reported one proves the report wrong;
that none was found proves nothing.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.kinds.grid.exclusion import checked, outside
from gridwell.kinds.grid.potential import least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid
    from gridwell.kinds.grid.minimum import Minimum
    from gridwell.kinds.grid.problem import Problem

DEFAULT_POINTS: Final = 1000  #: drawn of a large grid
WHOLE_PAIRS: Final = 1 << 17  #: a grid of so few pairs is checked whole, in a millisecond or two
_PAIRS: Final = 1 << 21  #: of drawn points and atoms: some ten milliseconds
_LEAST_POINTS: Final = 8  #: drawn however many atoms there are
_SHARE: Final = 8  #: at most one point in so many is drawn: a check is cheaper than the job
_ENOUGH: Final = 64  #: points that are drawn whatever their share
_BLOCK: Final = 1 << 14  #: pairs looked at together: they fit into a core's own cache
_EXACT_PAIRS: Final = 1 << 18  #: of points summed exactly, those with the lowest bounds, and atoms
_LEAST_EXACT: Final = 8


def sampled_points(problem: Problem, *, seed: int, most: int = DEFAULT_POINTS) -> NDArray[np.int64]:
    """Return the points at which an answer to a problem is checked, int64 of shape (K,).

    Args:
        problem: the problem.
        seed: of the random points.
        most: how many are drawn at most.
    """
    points = problem.grid.points
    if points * problem.atoms.count <= WHOLE_PAIRS:
        return np.arange(points, dtype=np.int64)
    steps = 1 if problem.series is None else problem.series.count
    fitting = max(_LEAST_POINTS, _PAIRS // (problem.atoms.count * steps))
    count = min(most, fitting, max(_ENOUGH, points // _SHARE))
    drawn = np.random.default_rng(seed).integers(0, points, count, dtype=np.int64)
    hint = [] if problem.incumbent is None else [problem.incumbent]
    return np.concatenate([np.array(hint, dtype=np.int64), drawn])


def neighbours(grid: Grid, index: int, *, most: int) -> NDArray[np.int64]:
    """Return the points next to a point, those that share a face with it first.

    Args:
        grid: the grid.
        index: the point.
        most: how many are returned at most.
    """
    triple = grid.triple(index)
    moves = sorted(itertools.product((-1, 0, 1), repeat=3), key=lambda move: sum(map(abs, move)))
    near = [tuple(at + by for at, by in zip(triple, move, strict=True)) for move in moves[1:]]
    inside = [
        grid.linear(*neighbour)
        for neighbour in near
        if all(0 <= at < size for at, size in zip(neighbour, grid.shape, strict=True))
    ]
    return np.array(inside[:most], dtype=np.int64)


def lower_point(
    grid: Grid,
    atoms: Atoms,
    candidates: NDArray[np.int64],
    reported: Minimum | None,
    *,
    min_distance: float = 0.0,
    softening: float = 0.0,
    zones: NDArray[np.float64] | None = None,
) -> Minimum | None:
    """Return a point that proves a reported minimum wrong, or None if no candidate does.

    Sums are rounded at first; those whose lower bound does not exceed the reported value are made
    exactly, and they alone decide.

    Args:
        grid: the grid.
        atoms: the atoms that act.
        candidates: linear indices, int64 of shape (M,).
        reported: what must be the least; None: that no point qualifies.
        min_distance: see `gridwell.kinds.grid.potential`.
        softening: see there.
        zones: see there.
    """
    excluded = checked(zones)
    rows = max(1, _BLOCK // atoms.count)
    bound = np.inf if reported is None else reported.value
    near: list[NDArray[np.int64]] = []
    lowers: list[NDArray[np.float64]] = []
    for start in range(0, len(candidates), rows):
        block = candidates[start : start + rows]
        steps = np.unravel_index(block, grid.shape)
        points = np.column_stack([grid.origin[k] + grid.spacing[k] * steps[k] for k in range(3)])
        lower = _lower_bounds(points, atoms, min_distance=min_distance, softening=softening)
        kept = (lower <= bound) & outside(excluded, *points.T)
        near.append(block[kept])
        lowers.append(lower[kept])
    if not near or not sum(map(len, near)):
        return None
    order = np.argsort(np.concatenate(lowers), kind="stable")
    exact = max(_LEAST_EXACT, _EXACT_PAIRS // atoms.count)  # of many equal points a few will do
    found = least(
        grid,
        atoms,
        np.concatenate(near)[order[:exact]],
        min_distance=min_distance,
        softening=softening,
        zones=zones,
    )
    if found is None or (reported is not None and found >= reported):
        return None
    return found


def _lower_bounds(
    points: NDArray[np.float64], atoms: Atoms, *, min_distance: float, softening: float
) -> NDArray[np.float64]:
    """Return lower bounds of potentials; not a number where a point is too near to an atom.

    The bound on the rounding error is that of `gridwell.kinds.grid.potential.least`.
    """
    slack = 2.0 * (atoms.count + 8) * 2.0**-53
    lower = np.zeros(len(points))
    nearest = np.full(len(points), np.inf)
    columns = max(1, _BLOCK // len(points))
    for start in range(0, atoms.count, columns):
        part = slice(start, start + columns)
        positions = atoms.positions[part]
        terms = points[:, 0:1] - positions[:, 0]
        terms *= terms
        for k in (1, 2):
            d = points[:, k : k + 1] - positions[:, k]
            d *= d
            terms += d
        np.minimum(nearest, terms.min(axis=1), out=nearest)
        np.sqrt(terms, out=terms)
        np.maximum(terms, softening, out=terms)
        # On an atom a term is infinite, but such a point does not qualify.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            np.divide(atoms.energies[part], terms, out=terms)
            lower += terms.sum(axis=1)
            np.abs(terms, out=terms)
            lower -= slack * terms.sum(axis=1)
    near = nearest < min_distance * min_distance
    if softening == 0:
        near |= nearest == 0
    lower[near] = np.nan
    return lower
