"""Distinction of atoms that add nothing to any potential from those that do.

Atoms of energy zero, and pairs of opposite energies at one place, cancel exactly at every point.
They still disqualify points that they lie on or near.  Left in the sums they would make every
point a near-tie, to be summed exactly, which costs twenty times as much as ruling it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app_tier.kinds.grid.kernels.last_result_cache import latest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms


@latest  # a worker computes many chunks of one problem in a row
def acting(atoms: Atoms) -> NDArray[np.bool_]:
    """Return True for each atom that acts, as a read-only bool array of shape (N,).

    The canonical value of a point that qualifies is the same without the others. The terms of a
    pair have one distance and opposite signs, so their exact sum is zero; the canonical sum is the
    exact one, rounded once.
    """
    size = np.abs(atoms.energies)
    acts = size > 0
    if not _all_differ(size):  # no two can cancel: told without looking at places
        acts &= ~_cancelled(atoms, size)
    acts.flags.writeable = False
    return acts


def _all_differ(values: NDArray[np.float64]) -> bool:
    ordered = np.sort(values)
    return bool((ordered[1:] > ordered[:-1]).all())


def _cancelled(atoms: Atoms, size: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return True for each atom of a pair of opposite energies at one place."""
    # Atoms of one place and size lie together in this order, the negative ones first.
    order = np.lexsort((atoms.energies, size, *atoms.positions.T))
    is_first = np.zeros(atoms.count, dtype=np.bool_)
    is_first[0] = True
    for column in (*atoms.positions.T, size):
        ordered = column[order]
        is_first[1:] |= ordered[1:] != ordered[:-1]
    first = np.flatnonzero(is_first)
    negative = np.add.reduceat(atoms.energies[order] < 0, first, dtype=np.int64)
    pairs = np.minimum(negative, np.diff(first, append=atoms.count) - negative)
    paired = np.flatnonzero(pairs)
    first, negative, pairs = first[paired], negative[paired], pairs[paired]
    # Of each group as many from the first negative one on, and from the first positive one.
    steps = np.zeros(atoms.count + 1, dtype=np.int32)
    for start in (first, first + negative):
        np.add.at(steps, start, 1)
        np.add.at(steps, start + pairs, -1)
    cancelled = np.empty(atoms.count, dtype=np.bool_)
    cancelled[order] = np.cumsum(steps[:-1], out=steps[:-1]) > 0
    return cancelled
