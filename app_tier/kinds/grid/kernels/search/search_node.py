"""A box on its way to be cut: what far sources add to its bound, and which near ones are left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.search.bounds import bounds
from app_tier.kinds.grid.kernels.search.box_cut import cut, product, whole
from app_tier.kinds.grid.kernels.search.far_field import NOTHING, Field, split
from app_tier.kinds.grid.kernels.search.source_tree import ENERGY, RADIUS, WIDER
from gridwell.kinds.grid.exclusion import engulfed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.search.box_cut import Axes, Cut
    from app_tier.kinds.grid.kernels.search.quadratic import Quadratics
    from app_tier.kinds.grid.kernels.search.source_tree import SourceTree
    from gridwell.kinds.grid.grid import Box

#: In half diagonals of a box: near clusters of a larger radius are taken apart.  Chords suffer more
#: from it than tangents, as they start at a cluster's nearest point.  Measured.
_WIDE_POSITIVE: Final = 0.9
_WIDE_NEGATIVE: Final = 0.2
_BLOCK: Final = 1 << 15  #: sources that are looked at together


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Data that all boxes of one search share."""

    axes: Axes
    sources: SourceTree
    min_distance: float
    softening: float
    zones: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchNode:
    """A box, as its parts inherit it.

    Attributes:
        box: the box.
        centre: of the box, shape (3,).
        far: the field about the centre of all sources that `near` does not hold.
        near: the other sources' numbers, ascending.
    """

    box: Box
    centre: NDArray[np.float64]
    far: Field
    near: NDArray[np.int32]


def root(search: Search, box: Box) -> SearchNode:
    """Return the box that the search begins with; nothing is far from it yet."""
    return SearchNode(
        box=box, centre=_centre(whole(search.axes, box)), far=NOTHING, near=search.sources.tops
    )


def narrowed(search: Search, parent: SearchNode, box: Box, gap: float) -> SearchNode:
    """Return the node of a part of a box: more sources are far, and near clusters are finer.

    Args:
        search: the search.
        parent: the family of the box that this one is a part of.
        box: the part.
        gap: a source is far when its error is at most this times its absolute energy.
    """
    sources = search.sources
    pieces = whole(search.axes, box)
    centre = _centre(pieces)
    half = _half_diagonal(pieces, centre)
    far = parent.far.about(centre - parent.centre)
    near = [parent.near[:0]]
    left = parent.near
    while len(left):
        block, left = np.sort(left[:_BLOCK]), left[_BLOCK:]
        rows = sources.rows(block)
        more, is_far, coarse = split(rows, centre, half, gap=gap, softening=search.softening)
        far = far.plus(more)
        wide = np.where(rows[ENERGY] > 0, _WIDE_POSITIVE, _WIDE_NEGATIVE) * half
        coarse |= rows[RADIUS] > wide
        own = sources.clusters(block)
        coarse[: own.start] = coarse[own.stop :] = False
        coarse &= ~is_far
        near.append(block[~(is_far | coarse)])
        if coarse.any():
            left = np.concatenate([sources.parts_of(block[coarse]), left])
    return SearchNode(box=box, centre=centre, far=far, near=np.sort(np.concatenate(near)))


def cut_and_bounded(
    search: Search, family: SearchNode, slack: float
) -> tuple[Cut, NDArray[np.float64], NDArray[np.bool_]]:
    """Return the parts of a family's box, bounds below their canonical values, and which are void.

    Args:
        search: the search.
        family: the family.
        slack: the rounding error, as a multiple of `Quadratics.size`.

    Returns:
        The cut; the bounds, shape (M,), minus infinity where they overflow; and which parts have no
        point that qualifies.
    """
    pieces = cut(search.axes, family.box)
    near, void = _bounds(search, family.near, pieces, family.centre)
    low, high = product([p.low for p in pieces]), product([p.high for p in pieces])
    void |= engulfed(search.zones, low, high)
    low -= family.centre
    high -= family.centre
    total = near.plus(family.far.below(low, high))
    lower = total.least(low, high) - slack * total.size
    return pieces, np.where(np.isfinite(lower), lower, -np.inf), void


def _centre(pieces: Cut) -> NDArray[np.float64]:
    return np.array([0.5 * (p.low[0] + p.high[0]) for p in pieces])


def _half_diagonal(pieces: Cut, centre: NDArray[np.float64]) -> float:
    """From the centre, which is rounded, to the farthest corner; surely not less."""
    sides = (max(c - p.low[0], p.high[0] - c) for c, p in zip(centre, pieces, strict=True))
    return math.hypot(*map(float, sides)) * WIDER


def _bounds(
    search: Search, chosen: NDArray[np.int32], pieces: Cut, centre: NDArray[np.float64]
) -> tuple[Quadratics, NDArray[np.bool_]]:
    sources = search.sources
    bound = int(np.searchsorted(chosen, sources.positive))
    return bounds(
        sources.rows(chosen[:bound]),
        sources.rows(chosen[bound:]),
        pieces,
        centre,
        min_distance=search.min_distance,
        softening=search.softening,
    )
