"""Atoms and clusters of atoms: what a box's bound is summed over.

A line in u = |t - r|^2 that bounds 1/r for every atom of a cluster of one sign needs only three
moments of the cluster.  About any point s, with d_i = r_i - s,

    sum e_i |t - r_i|^2  =  m0 |t - s|^2  -  2 (t - s).m1  +  m2
    m0 = sum e_i,   m1 = sum e_i d_i,   m2 = sum e_i |d_i|^2

is exact, whatever s is; so s may be a rounded centre of charge, and m1 what the rounding left over.
An atom is the cluster with m1 = 0, m2 = 0 and radius 0.  Clusters are runs of eight in Morton's
order (G. M. Morton, A Computer Oriented Geodetic Data Base, IBM 1966): neighbours in that order
are neighbours in space, and a poor cluster has a large radius, which costs time and nothing else.

**Rounding.**  Each level adds eight terms of one sign (m1, of both, is of the size of a rounding
beside them), so after L levels m0 and m2 are within (12 L + 8) u of the sums of their absolute
terms.  10^6 atoms have six levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kernels.cancel import acting
from app_tier.kernels.nearest import floors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.domain.atoms import Atoms
    from gridwell.domain.grid import Grid

RUN: Final = 8  #: sources of a cluster
WIDER: Final = 1.0 + 2.0**-30  #: of a radius that is rounded, to be surely not too small

#: Rows of `Sources.table`.
PLACE: Final = slice(0, 3)  #: s
ENERGY: Final = 3  #: m0
FIRST: Final = slice(4, 7)  #: m1
SECOND: Final = 7  #: m2
RADIUS: Final = 8
FLOOR: Final = 9  #: no qualifying point of the grid is nearer to any atom of it
_ROWS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All atoms that act, and the clusters above them, those of positive energy first."""

    table: NDArray[np.float64]  #: shape (10, M): what the constants above name
    child: NDArray[np.int32]  #: the first of a cluster's parts; an atom's own number
    parts: NDArray[np.int32]  #: how many follow one another from there; 0 for an atom
    tops: NDArray[np.int32]  #: the clusters that together hold every atom once
    positive: int  #: the sources below this number have positive energy, the others negative
    energy: float  #: the sum of all absolute energies


@lru_cache(maxsize=1)  # a worker computes many chunks of one problem in a row
def sources_of(grid: Grid, atoms: Atoms, min_distance: float, softening: float) -> Sources:
    """The sources of a problem."""
    acts = acting(atoms)
    trees = []
    for sign in (1.0, -1.0):
        chosen = np.flatnonzero(acts & (sign * atoms.energies > 0))
        order = chosen[_morton_order(grid, atoms.positions[chosen])]
        rows = np.zeros((_ROWS, len(order)))
        rows[PLACE] = atoms.positions[order].T
        rows[ENERGY] = atoms.energies[order]
        if sign < 0:
            rows[FLOOR] = floors(grid, atoms.positions[order], min_distance, softening)
        trees.append(_grown(rows))
    offset = sum(rows.shape[1] for rows in trees[0])
    tables, childs, parts, tops = [], [], [], []
    start = 0
    for tree in trees:
        for level, rows in enumerate(tree):
            count = rows.shape[1]
            below = tree[level - 1].shape[1] if level else 0
            child = start - below + RUN * np.arange(count) if level else start + np.arange(count)
            tables.append(rows)
            childs.append(child)
            parts.append(np.minimum(RUN, start - child) if level else np.zeros(count))
            start += count
        tops.append(np.arange(start - tree[-1].shape[1], start))
    return Sources(
        table=np.concatenate(tables, axis=1),
        child=np.concatenate(childs).astype(np.int32),
        parts=np.concatenate(parts).astype(np.int32),
        tops=np.concatenate(tops).astype(np.int32),
        positive=offset,
        energy=float(np.abs(atoms.energies[acts]).sum()),
    )


def _grown(atoms: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The tree's levels, from the atoms up to a level of at most eight."""
    levels = [atoms]
    while (count := levels[-1].shape[1]) > RUN:
        below = levels[-1]
        starts = np.arange(0, count, RUN)
        rows = np.empty((_ROWS, len(starts)))
        e = below[ENERGY]
        rows[ENERGY] = np.add.reduceat(e, starts)
        rows[PLACE] = np.add.reduceat(below[PLACE] * e, starts, axis=1) / rows[ENERGY]
        d = below[PLACE] - np.repeat(rows[PLACE], RUN, axis=1)[:, :count]
        moved = below[FIRST] + e * d
        rows[FIRST] = np.add.reduceat(moved, starts, axis=1)
        second = below[SECOND] + (d * (moved + below[FIRST])).sum(axis=0)
        rows[SECOND] = np.add.reduceat(second, starts)
        reach = np.sqrt((d * d).sum(axis=0)) + below[RADIUS]
        rows[RADIUS] = np.maximum.reduceat(reach, starts) * WIDER
        rows[FLOOR] = np.minimum.reduceat(below[FLOOR], starts)
        levels.append(rows)
    return levels


def _morton_order(grid: Grid, positions: NDArray[np.float64]) -> NDArray[np.intp]:
    """The order of positions along Morton's curve through 1024^3 cells of the grid's box."""
    low = np.array(grid.origin)
    extent = np.array([s * (n - 1) for s, n in zip(grid.spacing, grid.shape, strict=True)])
    side = float(extent.max()) or 1.0
    cells = np.clip((positions - low) * (1023.0 / side), 0.0, 1023.0).astype(np.int64)
    key = np.zeros(len(positions), dtype=np.int64)
    for k in range(3):
        key |= _spread(cells[:, k]) << k
    return np.argsort(key, kind="stable")


def _spread(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ten bits with two zeros between each two (the usual bit masks)."""
    bits = (bits | (bits << 16)) & 0x030000FF
    bits = (bits | (bits << 8)) & 0x0300F00F
    bits = (bits | (bits << 4)) & 0x030C30C3
    return (bits | (bits << 2)) & 0x09249249
