"""Quadratics below a potential, without mixed terms, and the least of one over a box.

q + sum over the axes of (g_k + b_k t_k) t_k separates into the axes. So its least over a box is the
sum of three leasts over intervals: each at an end or, where b_k > 0, at the vertex -g_k / (2 b_k).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Quadratics:
    """Some quadratics in coordinates t about a common centre.

    Attributes:
        constant: q, shape (M,).
        gradient: g, shape (M, 3).
        curvature: b, shape (M, 3).
        size: a bound on the sum of the absolute values of all terms, anywhere in the box, shape
            (M,). Rounding errors are a multiple of it.
    """

    constant: NDArray[np.float64]
    gradient: NDArray[np.float64]
    curvature: NDArray[np.float64]
    size: NDArray[np.float64]

    def plus(self, other: Quadratics) -> Quadratics:
        """Return the sums of these and others about the same centre."""
        return Quadratics(
            constant=self.constant + other.constant,
            gradient=self.gradient + other.gradient,
            curvature=self.curvature + other.curvature,
            size=self.size + other.size,
        )

    def least(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """Their least values over the boxes from `low` to `high`, both of shape (M, 3)."""
        g, b = self.gradient, self.curvature
        least = np.minimum((g + b * low) * low, (g + b * high) * high)
        vertex = np.where(b > 0, -0.5 * g / b, np.inf)
        inside = (low < vertex) & (vertex < high)
        least = np.where(inside, 0.5 * g * vertex, least)
        total: NDArray[np.float64] = self.constant + least.sum(axis=1)
        return total


def none(count: int) -> Quadratics:
    """As many quadratics that are zero."""
    zero = np.zeros(count)
    cube = np.zeros((count, 3))
    return Quadratics(constant=zero, gradient=cube, curvature=cube, size=zero)
