"""The potential of far sources in a box: its value, slope and second derivatives, and the error.

About a box's centre c, with d = |s - c| > |t| and n = (s - c) / d,

    1 / |c + t - s|  =  sum over k of  |t|^k / d^(k+1) P_k(cos)        (Legendre)
                     =  1/d + (n.t) / d^2 + (3 (n.t)^2 - |t|^2) / (2 d^3) + R

and as |P_k| <= 1, the rest for |t| <= h < d is a geometric series: |R| <= h^3 / (d^3 (d - h)).
Energies of both signs cancel in the first three terms, and only the rests add up. The gaps of
tangents and chords add up from h^2 / d^3 on, so this bound is better for far sources.

A cluster counts as its m0 at s.  By the same series about s, for a point at least D away,

    |sum e_i / |t - r_i| - m0 / |t - s||  <=  |m1| / D^2 + sum |e_i| |d_i|^2 / (D^2 (D - radius))

where the last sum is |m2|, as its energies have one sign.

Source: L. Greengard and V. Rokhlin, A Fast Algorithm for Particle Simulations (Journal of
Computational Physics 73, 1987), of which this is the local expansion of the second order.

**Rounding.**  Sources are far at d >= 2 (h + radius) only, so wherever the centre of a part of the
box is moved to, the absolute values of all that is added up stay below 4 |m0| / d a source.  Twice
that is the `size`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.search.quadratic import Quadratics
from app_tier.kinds.grid.kernels.search.source_tree import ENERGY, FIRST, RADIUS, SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

APART: Final = 2.0  #: far sources are at least so many times (half diagonal + radius) away
_UP: Final = 1.0 + 2.0**-30  #: of an error that is rounded itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The potential of far sources about a centre.

    Attributes:
        value: at the centre.
        slope: its first derivatives there, shape (3,).
        bend: its second derivatives there, shape (3, 3).
        error: how much the potential may differ from these three terms, anywhere in the box.
        size: see `app_tier.kinds.grid.kernels.search.quadratic.Quadratics`.
    """

    value: float
    slope: NDArray[np.float64]
    bend: NDArray[np.float64]
    error: float
    size: float

    def plus(self, other: Field) -> Field:
        """Return the sum of two fields about the same centre."""
        return Field(
            value=self.value + other.value,
            slope=self.slope + other.slope,
            bend=self.bend + other.bend,
            error=self.error + other.error,
            size=self.size + other.size,
        )

    def about(self, shift: NDArray[np.float64]) -> Field:
        """Return the same field about the centre moved by `shift`, shape (3,)."""
        turned = self.bend @ shift
        return Field(
            value=self.value + float((self.slope + 0.5 * turned) @ shift),
            slope=self.slope + turned,
            bend=self.bend,
            error=self.error,
            size=self.size,
        )

    def below(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> Quadratics:
        """Quadratics below the field in boxes from `low` to `high`, both of shape (M, 3).

        A mixed term B t_x t_y is not of their form.  With t = c + v about the box's centre c it is
        linear in t except for B v_x v_y, which is at least -|B| h_x h_y.
        """
        diagonal = np.diagonal(self.bend)
        mixed = self.bend - np.diag(diagonal)
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        turned = middle @ mixed
        least = (turned * middle).sum(axis=1) + ((half @ np.abs(mixed)) * half).sum(axis=1) * _UP
        return Quadratics(
            constant=self.value - self.error - 0.5 * least,
            gradient=self.slope + turned,
            curvature=np.broadcast_to(0.5 * diagonal, turned.shape),
            size=np.full(len(turned), self.size),
        )


NOTHING: Final = Field(value=0.0, slope=np.zeros(3), bend=np.zeros((3, 3)), error=0.0, size=0.0)


def split(
    rows: NDArray[np.float64],
    centre: NDArray[np.float64],
    half: float,
    *,
    gap: float,
    softening: float,
) -> tuple[Field, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the field of those sources that are far from a box, and which these are.

    Args:
        rows: rows of `Sources.rows`, shape (10, K).
        centre: the box's, shape (3,).
        half: the box's half diagonal.
        gap: what the error of a far source may be at most, as a multiple of its absolute energy.
        softening: sources with atoms nearer than this to a point of the box are not far.

    Returns:
        The field; which sources are in it, shape (K,); and which would be, were they not clusters.
    """
    x, y, z = (rows[k] - centre[k] for k in range(3))
    square = x * x
    square += y * y
    square += z * z
    distance = np.sqrt(square)
    near = distance - half
    apart = distance >= APART * (rows[RADIUS] + half)
    if softening > 0:
        apart &= near - rows[RADIUS] >= softening * _UP
    rest = half**3 / (square * distance * near)
    fine = apart & (rest <= gap)
    if rows[RADIUS].any():
        cluster = rows[SECOND] / (rows[ENERGY] * (near - rows[RADIUS]))
        cluster += np.abs(rows[FIRST] / rows[ENERGY]).sum(axis=0)
        rest += cluster / (near * near)
        far = apart & (rest <= gap)
    else:
        far = fine
    chosen = np.flatnonzero(far)
    if not len(chosen):
        return NOTHING, far, fine
    d = np.stack([x[chosen], y[chosen], z[chosen]])
    energy = rows[ENERGY, chosen]
    each = energy / distance[chosen]
    inverse = np.reciprocal(square[chosen])
    first = each * inverse
    bend = (d * (3.0 * first * inverse)) @ d.T
    bend -= np.diag(np.full(3, first.sum()))
    found = Field(
        value=float(each.sum()),
        slope=d @ first,
        bend=bend,
        error=float(np.abs(energy) @ rest[chosen]) * _UP,
        size=8.0 * float(np.abs(each).sum()),
    )
    return found, far, fine & ~far
