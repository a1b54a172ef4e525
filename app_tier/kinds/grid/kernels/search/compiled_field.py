"""The field of sources that are far from a box: to be compiled.

It goes one order beyond that of `search.far_field`.  With x = s - c, d = |x|,

    1 / |c + t - s|  =  1/d + (x.t) / d^3 + (3 (x.t)^2 - d^2 |t|^2) / (2 d^5)
                        + (5 (x.t)^3 - 3 d^2 (x.t) |t|^2) / (2 d^7) + R

and |R| <= h^4 / (d^4 (d - h)) for |t| <= h < d, as all |P_k| <= 1.  By Cauchy and Schwarz the
absolute values of all monomials add up to at most

    (1 + h/d + 2 (h/d)^2 + 4 (h/d)^3) / d  <=  2.5 / d     for d >= 2 h,

about the box's centre and also about that of a part c', where |c' - c| + |t'| along an axis is at
most h's component.  `SIZE` gets 8 |m0| / d.  A cluster adds the error that it has there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app_tier.kinds.grid.kernels.numba_compile import compiled
from app_tier.kinds.grid.kernels.search.compiled_state import BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _add_far(block: NDArray[np.float64], count: int, lanes: int, sums: NDArray[np.float64]) -> None:
    """Add far sources to the sums, `lanes` of them side by side: eight, but not known to be."""
    for start in range(0, count, lanes):
        for k in range(lanes):
            j = start + k
            x, y, z = block[j], block[BLOCK + j], block[2 * BLOCK + j]
            square = x * x + y * y + z * z
            inverse = 1.0 / square
            each = block[3 * BLOCK + j] / np.sqrt(square)
            first = each * inverse
            second = 3.0 * first * inverse
            b = 0.5 * second
            a = (5.0 / 3.0) * b * inverse
            xx, yy, zz = a * x * x, a * y * y, a * z * z
            sums[k] += each
            sums[8 + k] += first * x
            sums[16 + k] += first * y
            sums[24 + k] += first * z
            sums[32 + k] += b * x * x - 0.5 * first
            sums[40 + k] += b * y * y - 0.5 * first
            sums[48 + k] += b * z * z - 0.5 * first
            sums[56 + k] += second * x * y
            sums[64 + k] += second * x * z
            sums[72 + k] += second * y * z
            sums[80 + k] += x * (xx - b)
            sums[88 + k] += y * (yy - b)
            sums[96 + k] += z * (zz - b)
            sums[104 + k] += y * (3.0 * xx - b)
            sums[112 + k] += z * (3.0 * xx - b)
            sums[120 + k] += x * (3.0 * yy - b)
            sums[128 + k] += z * (3.0 * yy - b)
            sums[136 + k] += x * (3.0 * zz - b)
            sums[144 + k] += y * (3.0 * zz - b)
            sums[152 + k] += 6.0 * a * x * y * z
            sums[160 + k] += block[4 * BLOCK + j]
            sums[168 + k] += 8.0 * abs(each)


add_far = compiled(_add_far)


def _value(f: NDArray[np.float64], x: float, y: float, z: float) -> float:
    """Return a field's polynomial at (x, y, z) from its centre."""
    along_x = f[1] + (f[4] + f[10] * x + f[13] * y + f[14] * z) * x + f[7] * y + f[8] * z
    along_y = f[2] + (f[5] + f[11] * y + f[15] * x + f[16] * z) * y + f[9] * z
    along_z = f[3] + (f[6] + f[12] * z + f[17] * x + f[18] * y) * z
    found: float = f[0] + along_x * x + along_y * y + along_z * z + f[19] * x * y * z
    return found


value = compiled(_value)


def _move(f: NDArray[np.float64], to: NDArray[np.float64], x: float, y: float, z: float) -> None:
    """Write the field f about the centre moved by (x, y, z): Taylor's series, which ends."""
    to[0] = value(f, x, y, z)
    to[1] = f[1] + 2.0 * f[4] * x + f[7] * y + f[8] * z
    to[1] += (3.0 * f[10] * x + 2.0 * (f[13] * y + f[14] * z)) * x
    to[1] += f[15] * y * y + f[17] * z * z + f[19] * y * z
    to[2] = f[2] + 2.0 * f[5] * y + f[7] * x + f[9] * z
    to[2] += (3.0 * f[11] * y + 2.0 * (f[15] * x + f[16] * z)) * y
    to[2] += f[13] * x * x + f[18] * z * z + f[19] * x * z
    to[3] = f[3] + 2.0 * f[6] * z + f[8] * x + f[9] * y
    to[3] += (3.0 * f[12] * z + 2.0 * (f[17] * x + f[18] * y)) * z
    to[3] += f[14] * x * x + f[16] * y * y + f[19] * x * y
    to[4] = f[4] + 3.0 * f[10] * x + f[13] * y + f[14] * z
    to[5] = f[5] + 3.0 * f[11] * y + f[15] * x + f[16] * z
    to[6] = f[6] + 3.0 * f[12] * z + f[17] * x + f[18] * y
    to[7] = f[7] + 2.0 * (f[13] * x + f[15] * y) + f[19] * z
    to[8] = f[8] + 2.0 * (f[14] * x + f[17] * z) + f[19] * y
    to[9] = f[9] + 2.0 * (f[16] * y + f[18] * z) + f[19] * x
    to[10:] = f[10:]


move = compiled(_move)
