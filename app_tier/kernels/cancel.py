"""Atoms that add nothing to any potential, told apart from those that do.

Atoms of energy zero, and pairs of opposite energies at one place, cancel exactly at every point.
They still disqualify points that they lie on or near.  Left in the sums they would make every
point a near-tie, to be summed exactly, which costs twenty times as much as ruling it out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.domain.atoms import Atoms


@lru_cache(maxsize=1)  # a worker computes many chunks of one problem in a row
def acting(atoms: Atoms) -> NDArray[np.bool_]:
    """Which atoms act, as a read-only bool array of shape (N,).

    The canonical value of a point that qualifies is the same without the others: the terms of a
    pair have one distance and opposite signs, so their exact sum is zero, and the canonical sum is
    the exact one, rounded once.
    """
    size = np.abs(atoms.energies)
    ordered = np.sort(size)
    if (ordered[1:] > ordered[:-1]).all():  # no two can cancel: told without looking at places
        acts = size > 0
        acts.flags.writeable = False
        return acts
    order = np.lexsort((atoms.energies, size, *atoms.positions.T))
    place = np.column_stack([atoms.positions, size])[order]
    # Atoms of one place and size lie together now, the negative ones first.
    first = np.ones(atoms.count, dtype=np.bool_)
    first[1:] = (place[1:] != place[:-1]).any(axis=1)
    group = np.cumsum(first) - 1
    negative = atoms.energies[order] < 0
    sizes = np.bincount(group)
    negatives = np.bincount(group[negative], minlength=len(sizes))
    pairs = np.minimum(negatives, sizes - negatives)[group]
    rank = np.arange(atoms.count) - np.flatnonzero(first)[group]
    rank = np.where(negative, rank, rank - negatives[group])
    acts = np.empty(atoms.count, dtype=np.bool_)
    acts[order] = (rank >= pairs) & (place[:, 3] > 0)
    acts.flags.writeable = False
    return acts
