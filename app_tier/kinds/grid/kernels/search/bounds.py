"""Lower bounds of the potential over boxes, each one quadratic for all sources together.

With u = |t - r|^2 the potential of an atom is e u^(-1/2), and u^(-1/2) is convex.

* **e > 0: a tangent.**  For any u0 > 0,  u^(-1/2) >= u0^(-1/2) (3/2 - u / (2 u0)).
* **e < 0: a chord.**  On p^2 <= u <= q^2 a convex function lies below its chord, which with
  m = p q and s = p + q is  u^(-1/2) <= (s^2 - m - u) / (s m).  To the left of p^2 the chord rises
  above 1/p, so the bound holds for 1 / max(r, p) too, and so for a softening that p is not below.
* **Softening and e > 0.**  The tangent at u0 is at most 3/2 u0^(-1/2), which is at most
  1 / softening for u0 >= 9/4 softening^2: then it is a bound of 1 / max(r, softening).

Both are lines in u, and u is a quadratic in t with the unit matrix as its second-order term.  So a
sum over any number of sources is one quadratic in t, from five sums: a product of matrices.  A
cluster of one sign takes the same line for all its atoms: its moments take the place of an atom's
(`app_tier.kinds.grid.kernels.search.source_tree`).  The gap is of second order, some 1.5 |e| h^2 /
d^3 for a box of half diagonal h at a distance of d.

Source: tangents and chords as under- and overestimators are those of McCormick (Mathematical
Programming 10, 1976); the bounds by boxes of a branch and bound are those of Land and Doig
(Econometrica 28, 1960).

**Rounding.**  p and q are moved apart by a part in 2^30, far more than they are rounded by, so the
chord is one of a wider interval.  Any u0 is allowed.  What is left are the roundings of lines,
moments and sums: each a few u times what is added up, whose absolute values sum up to at most
`Quadratics.size`.  Per sign all terms of one coefficient have one sign, so the coefficients
themselves tell that size: |a + b u| <= |a| + |b| (|t| + |r|)^2 <= |a| + 2 |b| (|t|^2 + |r|^2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.search.box_cut import product
from app_tier.kinds.grid.kernels.search.nearest_points import LESS, UNDERFLOW
from app_tier.kinds.grid.kernels.search.quadratic import Quadratics, none
from app_tier.kinds.grid.kernels.search.source_tree import (
    ENERGY,
    FIRST,
    FLOOR,
    PLACE,
    RADIUS,
    SECOND,
    WIDER,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.search.box_cut import Cut, Pieces

_PAIRS: Final = 1 << 16  #: of parts and sources looked at together: 512 KiB, in a core's cache
_LEAST_SQUARE: Final = 1e-180  #: of a tangent point: its power -3/2 times any energy is finite
_LEAST_REACH: Final = 1e-60  #: of a chord's far end, for the same reason


def bounds(
    positive: NDArray[np.float64],
    negative: NDArray[np.float64],
    pieces: Cut,
    centre: NDArray[np.float64],
    *,
    min_distance: float,
    softening: float,
) -> tuple[Quadratics, NDArray[np.bool_]]:
    """Return a quadratic for each part of a box, below the potential of some sources there.

    Args:
        positive: rows of `Sources.rows` of sources of positive energy, shape (10, P).
        negative: the same of negative energy, shape (10, N).
        pieces: the parts, M of them.
        centre: what the quadratics are about, shape (3,).
        min_distance: as for the potential.
        softening: as for the potential.

    Returns:
        The quadratics, and which parts have no point that qualifies, shape (M,): they lie wholly
        within `min_distance` of an atom.
    """
    ends = np.stack([product([p.low for p in pieces]), product([p.high for p in pieces])])
    farthest = (np.abs(ends - centre).max(axis=0) ** 2).sum(axis=1)
    count = len(farthest)
    total, void = none(count), np.zeros(count, dtype=np.bool_)
    width = max(1, _PAIRS // count)
    for rows, lines in ((positive, _tangents), (negative, _chords)):
        for start in range(0, rows.shape[1], width):
            block = rows[:, start : start + width]
            found, more = lines(
                block, pieces, centre, farthest, min_distance=min_distance, softening=softening
            )
            total, void = total.plus(found), void | more
    return total, void


def _tangents(
    rows: NDArray[np.float64],
    pieces: Cut,
    centre: NDArray[np.float64],
    farthest: NDArray[np.float64],
    *,
    min_distance: float,
    softening: float,
) -> tuple[Quadratics, NDArray[np.bool_]]:
    # The tangent point is the mean of u at the part's centre, or so far out that the tangent is
    # not negative anywhere in the part.
    point = _squares(rows, pieces, _middle)
    point += rows[SECOND] / rows[ENERGY]
    far = _squares(rows, pieces, _far)
    np.maximum(point, far * (1 / 3), out=point)
    np.maximum(point, _LEAST_SQUARE, out=point)
    void: NDArray[np.bool_] = np.zeros(len(point), dtype=np.bool_)
    if min_distance > 0:
        void |= (np.sqrt(far) + rows[RADIUS] < min_distance * LESS).any(axis=1)
    if softening > 0:
        near = np.sqrt(_squares(rows, pieces, _near)) - rows[RADIUS]
        soft = near * LESS - UNDERFLOW < softening
        point = np.where(soft, np.maximum(point, 2.25 * WIDER * softening**2), point)
    v = np.reciprocal(np.sqrt(point))
    constant = 1.5 * (v @ rows[ENERGY])
    slope = (v * v * v) @ _moments(rows, centre)
    slope *= -0.5
    return _quadratics(constant, slope, farthest), void


def _chords(
    rows: NDArray[np.float64],
    pieces: Cut,
    centre: NDArray[np.float64],
    farthest: NDArray[np.float64],
    *,
    min_distance: float,
    softening: float,
) -> tuple[Quadratics, NDArray[np.bool_]]:
    p = np.sqrt(_squares(rows, pieces, _near))
    p *= LESS
    p -= rows[RADIUS] + UNDERFLOW
    np.maximum(p, rows[FLOOR], out=p)
    q = np.sqrt(_squares(rows, pieces, _far))
    q += rows[RADIUS]
    void = np.zeros(len(q), dtype=np.bool_)
    if min_distance > 0:
        void |= (q < min_distance * LESS).any(axis=1)
    q *= WIDER
    q += UNDERFLOW
    np.maximum(q, p, out=q)
    np.maximum(q, _LEAST_REACH, out=q)
    m = p * q
    p += q
    slope_each = np.reciprocal(p * m)
    p *= p
    p -= m
    p *= slope_each
    if softening > 0:
        inside = q <= softening
        p = np.where(inside, 1.0 / softening, p)
        slope_each = np.where(inside, 0.0, slope_each)
    constant = p @ rows[ENERGY]
    slope = slope_each @ _moments(rows, centre)
    np.negative(slope, out=slope)
    return _quadratics(constant, slope, farthest), void


def _moments(rows: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the moments about the centre as columns: m0, m1 (3), m2; shape (K, 5)."""
    d = rows[PLACE] - centre[:, None]
    out = np.empty((5, rows.shape[1]))
    out[0] = rows[ENERGY]
    np.multiply(d, rows[ENERGY], out=out[1:4])
    out[1:4] += rows[FIRST]
    d *= out[1:4] + rows[FIRST]
    out[4] = d[0] + d[1]
    out[4] += d[2]
    out[4] += rows[SECOND]
    return out.T


def _quadratics(
    constant: NDArray[np.float64], slope: NDArray[np.float64], farthest: NDArray[np.float64]
) -> Quadratics:
    """`constant` plus the sums of slope times |t - r|^2, multiplied out."""
    b = slope[:, 0]
    return Quadratics(
        constant=constant + slope[:, 4],
        gradient=-2.0 * slope[:, 1:4],
        curvature=np.broadcast_to(b[:, None], (len(b), 3)),
        size=np.abs(constant) + 2.0 * (np.abs(b) * farthest + np.abs(slope[:, 4])),
    )


def _squares(
    rows: NDArray[np.float64], pieces: Cut, distance: Callable[..., NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Squares of a distance that is separable, for all parts and sources, shape (M, K)."""
    x, y, z = (distance(rows[k], piece) for k, piece in enumerate(pieces))
    xy = x[:, None] + y
    total = xy[:, :, None] + z
    return total.reshape(-1, rows.shape[1])


def _middle(place: NDArray[np.float64], piece: Pieces) -> NDArray[np.float64]:
    d = (0.5 * (piece.low + piece.high))[:, None] - place
    d *= d
    return d


def _near(place: NDArray[np.float64], piece: Pieces) -> NDArray[np.float64]:
    d = np.maximum(piece.low[:, None] - place, place - piece.high[:, None])
    np.maximum(d, 0.0, out=d)
    d *= d
    return d


def _far(place: NDArray[np.float64], piece: Pieces) -> NDArray[np.float64]:
    d = np.maximum(place - piece.low[:, None], piece.high[:, None] - place)
    d *= d
    return d
