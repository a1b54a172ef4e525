"""Tree of atoms and clusters of atoms, over which a box's bound is summed.

A line in u = |t - r|^2 that bounds 1/r for every atom of a cluster of one sign needs only three
moments of the cluster.  About any point s, with d_i = r_i - s,

    sum e_i |t - r_i|^2  =  m0 |t - s|^2  -  2 (t - s).m1  +  m2
    m0 = sum e_i,   m1 = sum e_i d_i,   m2 = sum e_i |d_i|^2

is exact, whatever s is; so s may be a rounded centre of charge, and m1 what the rounding left over.
An atom is the cluster with m1 = 0, m2 = 0 and radius 0.  Clusters are runs of eight in Morton's
order (G. M. Morton, A Computer Oriented Geodetic Data Base, IBM 1966): neighbours in that order
are neighbours in space, and a poor cluster has a large radius, which costs time and nothing else.

**Room.**  An atom has three of these numbers less than a cluster, and of a million atoms each
number is 8 MB.  So moments and radii are kept of clusters alone, and what is built is written
in place, block by block.

**Rounding.**  Each level adds eight terms of one sign; m1, of both signs, is of the size of a
rounding beside them. So after L levels m0 and m2 are within (12 L + 8) u of the sums of their
absolute terms.  10^6 atoms have six levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.cancelling_atoms import acting
from app_tier.kinds.grid.kernels.last_result_cache import latest
from app_tier.kinds.grid.kernels.search.nearest_points import floors
from gridwell.kinds.grid.limits import MAX_ATOMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid

RUN: Final = 8  #: sources of a cluster
WIDER: Final = 1.0 + 2.0**-30  #: of a radius that is rounded, to be surely not too small

#: Rows of `SourceTree.rows`; the first five are those of `SourceTree.table`, the others of its
#: moments.
PLACE: Final = slice(0, 3)  #: s
ENERGY: Final = 3  #: m0
FLOOR: Final = 4  #: no qualifying point of the grid is nearer to any atom of it
FIRST: Final = slice(5, 8)  #: m1
SECOND: Final = 8  #: m2
RADIUS: Final = 9
_OF_ALL: Final = 5
_OF_CLUSTERS: Final = 5

_BLOCK: Final = 1 << 13  #: sources that are made together
_CELLS: Final = 10  #: bits of a cell's number along an axis
_ATOM: Final = MAX_ATOMS.bit_length()  #: bits of an atom's number


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """All atoms that act, and the clusters above them.

    Their numbers go from the atoms of positive energy to the clusters of these, to the clusters of
    those of negative energy, and to these atoms.
    """

    table: NDArray[np.float64]  #: shape (5, M): what the constants above name
    moments: NDArray[np.float64]  #: shape (5, C): the rest, of clusters alone
    cluster_ends: NDArray[np.int32]  #: the first cluster's number, and that after the last one's
    child: NDArray[np.int32]  #: the first of a cluster's parts, shape (C,)
    parts: NDArray[np.int32]  #: how many follow one another from there
    tops: NDArray[np.int32]  #: the sources that together hold every atom once, ascending
    positive: int  #: the sources below this number have positive energy, the others negative
    energy: float  #: the sum of all absolute energies

    @property
    def has_one_sign(self) -> bool:
        """True if all energies are positive, or all negative."""
        return self.positive in (0, self.table.shape[1])

    @property
    def negative_atoms(self) -> NDArray[np.float64]:
        """The atoms' columns of the table."""
        return self.table[:, self.cluster_ends[1] :]

    def clusters(self, numbers: NDArray[np.int32]) -> slice:
        """Return the positions of clusters among ascending numbers."""
        return slice(*numbers.searchsorted(self.cluster_ends).tolist())

    def rows(self, numbers: NDArray[np.int32]) -> NDArray[np.float64]:
        """All that is known of some sources of ascending numbers, shape (10, K)."""
        rows = np.empty((_OF_ALL + _OF_CLUSTERS, len(numbers)))
        # In any other mode what is taken goes through a copy.
        self.table.take(numbers, axis=1, out=rows[:_OF_ALL], mode="clip")
        rest, own = rows[_OF_ALL:], self.clusters(numbers)
        rest[:] = 0.0
        if own.start < own.stop:
            rest[:, own] = self.moments.take(numbers[own] - self.cluster_ends[0], axis=1)
        return rows

    def parts_of(self, clusters: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the numbers of the parts of some clusters."""
        steps = np.arange(RUN, dtype=np.int32)
        places = clusters - int(self.cluster_ends[0])
        numbers: NDArray[np.int32] = self.child[places, None] + steps
        return numbers[steps < self.parts[places, None]]


@latest  # a worker computes many chunks of one problem in a row
def sources_of(grid: Grid, atoms: Atoms, min_distance: float, softening: float) -> SourceTree:
    """Return the sources of a problem."""
    positives, negatives = _in_order(grid, atoms)
    levels = [_levels(len(order)) for order in (positives, negatives)]
    first_cluster = len(positives)
    middle = first_cluster + sum(levels[0][1:])
    after_clusters = middle + sum(levels[1][1:])
    table = np.empty((_OF_ALL, after_clusters + len(negatives)))
    moments = np.empty((_OF_CLUSTERS, after_clusters - first_cluster))
    child = np.empty(after_clusters - first_cluster, dtype=np.int32)
    parts = np.full(after_clusters - first_cluster, RUN, dtype=np.int32)
    tops = []
    for order, counts, start, above in (
        (positives, levels[0], 0, first_cluster),
        (negatives, levels[1], after_clusters, middle),
    ):
        for block in range(0, len(order), _BLOCK):
            chosen = order[block : block + _BLOCK]
            places = atoms.positions[chosen]
            rows = table[:, start + block : start + block + len(chosen)]
            rows[PLACE], rows[ENERGY], rows[FLOOR] = places.T, atoms.energies[chosen], 0.0
            if order is negatives:
                rows[FLOOR] = floors(grid, places, min_distance, softening)
        below, count = start, counts[0]
        first = above
        for more in counts[1:]:
            own = slice(first - first_cluster, first - first_cluster + more)
            child[own] = below + RUN * np.arange(more)
            parts[own][-1] = count - RUN * (more - 1)
            _gather(table, moments, first_cluster, below, count, first)
            below, count, first = first, more, first + more
        tops.append(np.arange(below, below + count, dtype=np.int32))
    return SourceTree(
        table=table,
        moments=moments,
        cluster_ends=np.array([first_cluster, after_clusters], dtype=np.int32),
        child=child,
        parts=parts,
        tops=np.concatenate(tops),
        positive=middle,
        energy=float(table[ENERGY, :first_cluster].sum() - table[ENERGY, after_clusters:].sum()),
    )


def _levels(count: int) -> list[int]:
    """Return the number of sources on each level of a tree, from the atoms up to at most eight."""
    counts = [count]
    while counts[-1] > RUN:
        counts.append(-(-counts[-1] // RUN))
    return counts


def _gather(
    table: NDArray[np.float64],
    moments: NDArray[np.float64],
    first_cluster: int,
    below: int,
    count: int,
    first: int,
) -> None:
    """Make the clusters of a level.

    Args:
        table: that of `SourceTree`; its columns from `first` on are written.
        moments: the same.
        first_cluster: the same.
        below: the first source of the level below.
        count: how many there are in it.
        first: the first of the clusters.
    """
    end = below + count
    for start in range(below, end, _BLOCK):
        stop = min(start + _BLOCK, end)
        rows = np.zeros((_OF_ALL + _OF_CLUSTERS, stop - start))
        rows[:_OF_ALL] = table[:, start:stop]
        if first_cluster <= below < first_cluster + moments.shape[1]:
            rows[_OF_ALL:] = moments[:, start - first_cluster : stop - first_cluster]
        made = _clusters(rows)
        at = first + (start - below) // RUN
        table[:, at : at + made.shape[1]] = made[:_OF_ALL]
        at -= first_cluster
        moments[:, at : at + made.shape[1]] = made[_OF_ALL:]


def _clusters(below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the clusters of some sources, eight by eight: rows as those of `SourceTree.rows`."""
    count = below.shape[1]
    starts = np.arange(0, count, RUN)
    rows = np.empty((len(below), len(starts)))
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
    return rows


def _in_order(grid: Grid, atoms: Atoms) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the atoms of positive and of negative energy, along Morton's curve."""
    low = np.array(grid.origin)
    extent = np.array([s * (n - 1) for s, n in zip(grid.spacing, grid.shape, strict=True)])
    last = float((1 << _CELLS) - 1)
    scale = last / (float(extent.max()) or 1.0)
    acts = acting(atoms)
    # One number for an atom: its sign, its cell and itself.  Sorted in place, they need no more
    # room, and take a tenth of the time of an order that is sorted beside its keys.
    negative, idle = 1 << (3 * _CELLS + _ATOM), 2 << (3 * _CELLS + _ATOM)
    keys = np.arange(atoms.count)
    for start in range(0, atoms.count, _BLOCK):
        part = slice(start, start + _BLOCK)
        cells = np.clip((atoms.positions[part] - low) * scale, 0.0, last).astype(np.int64)
        for k in range(3):
            keys[part] |= _spread(cells[:, k]) << (k + _ATOM)
        keys[part] |= np.where(acts[part], np.where(atoms.energies[part] < 0, negative, 0), idle)
    keys.sort()
    first, end = np.searchsorted(keys, [negative, idle]).tolist()
    keys &= (1 << _ATOM) - 1
    return keys[:first], keys[first:end]


def _spread(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ten bits with two zeros between each two (the usual bit masks)."""
    bits = (bits | (bits << 16)) & 0x030000FF
    bits = (bits | (bits << 8)) & 0x0300F00F
    bits = (bits | (bits << 4)) & 0x030C30C3
    return (bits | (bits << 2)) & 0x09249249
