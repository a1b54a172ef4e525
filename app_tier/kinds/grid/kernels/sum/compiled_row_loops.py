"""The loop of `sum.compiled_direct`, to be compiled: sums of w / r, row by row.

**1/r without a square root or a division**, which take longer than all the rest.  The bits of a
float64 u > 0, as an integer, are nearly linear in log2 u; a constant less half of them are the bits
of a v0 near u^(-1/2).  Four times u is exactly half of v0, so what holds for 1 <= u < 4 holds for
all normal u: v0 is within 0.0344 of u^(-1/2), relatively (the tests look at each 1e-6, and it is
piecewise linear in u).  With h = 1 - u v^2, exactly,

    u^(-1/2) = v (1 - h)^(-1/2) = v (1 + h/2 + 3 h^2 / 8 + ...),

and the coefficients fall from 5/16 on, so a step that stops at h^2 is within 5/16 |h|^3 / (1 - |h|)
times |v|, which is v / u^(-1/2) relatively:

* v0: |h| <= 2 * 0.0344 + 0.0344^2 < 0.07, so v1 is within 1.2e-4 of u^(-1/2);
* v1: |h| < 2.5e-4, so v2 is within 4.9e-12, and its roundings add less than 1e-14.

`ERROR` is above that, with fused operations or without: they only save roundings.

Source: the constant is by M. Robertson (A Brief History of InvSqrt, University of New Brunswick,
2012); C. Lomont (Fast Inverse Square Root, Purdue University, 2003) explains the first guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.numba_compile import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

ERROR: Final = 5e-12  #: relative, of `reciprocal_root`
LEAST: Final = 1e-280  #: of u: far above the subnormal numbers, for which the first guess is wrong
_MAGIC: Final = 0x5FE6EB50C7B537A9
_ATOMS: Final = 64  #: of a block: their dz*dz for 64 points, 32 KiB, stay in a core's first cache


def _first_guess(u: float) -> np.float64:
    bits = np.float64(u).view(np.int64)
    return np.int64(_MAGIC - (bits >> 1)).view(np.float64)


first_guess = compiled(_first_guess, inline=True)


def _reciprocal_root(u: float) -> float:
    v = first_guess(u)
    h = 1.0 - u * v * v
    v += v * h * (0.5 + 0.375 * h)
    h = 1.0 - u * v * v
    return v + v * h * (0.5 + 0.375 * h)


reciprocal_root = compiled(_reciprocal_root, inline=True)


def _add_rows(
    total: NDArray[np.float64],
    nearest: NDArray[np.float64],
    q: NDArray[np.float64],
    dz: NDArray[np.float64],
    weights: NDArray[np.float64],
    careful: float,
    softening: float,
) -> None:
    """Add the sums of w / max(r, softening) over some atoms, in their order, to each point's.

    r^2 has the bits of the canonical value. Both tables come from numpy, whose operations are
    rounded one by one, and an addition of two loaded numbers cannot be fused.

    Args:
        total: the sums so far, shape (rows, points of a row), added to.
        nearest: the least r^2 so far of the atoms with q < `careful`, same shape, lowered.
        q: dx*dx + dy*dy, shape (rows, atoms).
        dz: dz*dz, shape (atoms, points of a row).
        weights: not negative, shape (atoms,).
        careful: atoms with q below this, `LEAST` or more, are summed by square root and division.
        softening: no distance of the other atoms may be below it.
    """
    rows, atoms = q.shape
    length = dz.shape[1]
    for start in range(0, atoms, _ATOMS):
        for row in range(rows):
            sums, least = total[row], nearest[row]
            for n in range(start, min(start + _ATOMS, atoms)):
                first, weight, squares = q[row, n], weights[n], dz[n]
                if first < careful:
                    for k in range(length):
                        u = first + squares[k]
                        least[k] = min(least[k], u)
                        sums[k] += weight / max(np.sqrt(u), softening)
                elif weight > 0:
                    for k in range(length):
                        sums[k] += weight * reciprocal_root(first + squares[k])


add_rows = compiled(_add_rows)
