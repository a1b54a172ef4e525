"""Quadratics below the potential in the parts of a box: to be compiled.

Tangents and chords are those of `app_tier.kinds.grid.kernels.search.bounds`, about each part's own
centre.  A tangent at u0 holds for any u0, so for whatever v stands for u0^(-1/2).  As f^2 <= 3 u0,
f being the farthest distance in the part, and m2 / m0 <= u0, its terms add up to at most (3/2 +
4/2) m0 v, and the size gets 4 m0 v; that of a chord c - b u, which reaches to u = q^2, gets (c + b
q^2) |m0|.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.numba_compile import compiled
from app_tier.kinds.grid.kernels.search.compiled_field import move
from app_tier.kinds.grid.kernels.search.compiled_state import ERROR, SIZE
from app_tier.kinds.grid.kernels.search.nearest_points import LESS, UNDERFLOW
from app_tier.kinds.grid.kernels.search.source_tree import WIDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.search.compiled_state import ScratchBuffers, Tree

_LEAST_SQUARE: Final = 1e-180  #: of a tangent point: its power -3/2 times any energy is finite
_LEAST_REACH: Final = 1e-60  #: of a chord's far end, for the same reason


def _add_tangents(
    tree: Tree,
    chosen: NDArray[np.int32],
    lanes: int,
    parts: NDArray[np.float64],
    lines: NDArray[np.float64],
) -> None:
    """Add a line of each chosen positive source for each of eight parts."""
    table, moments = tree.table, tree.moments
    least = 2.25 * WIDER * tree.softening * tree.softening
    for s in chosen:
        sx, sy, sz, e = table[0, s], table[1, s], table[2, s], table[3, s]
        mx = my = mz = m2 = 0.0
        c = s - tree.first_cluster
        if 0 <= c < len(tree.child):
            mx, my, mz, m2 = moments[0, c], moments[1, c], moments[2, c], moments[3, c]
        more = max(m2 / e, least)
        for k in range(lanes):
            x, y, z = parts[k] - sx, parts[8 + k] - sy, parts[16 + k] - sz
            square = x * x + y * y + z * z
            fx, fy, fz = abs(x) + parts[24 + k], abs(y) + parts[32 + k], abs(z) + parts[40 + k]
            far = fx * fx + fy * fy + fz * fz
            # Its point is the mean of u at the part's centre, or so far out that the tangent is
            # not negative anywhere in the part.
            v = 1.0 / np.sqrt(max(square + more, far * (1.0 / 3.0), _LEAST_SQUARE))
            b = -0.5 * v * v * v
            lines[k] += 1.5 * v * e + b * (e * square - 2.0 * (x * mx + y * my + z * mz) + m2)
            lines[8 + k] += 2.0 * b * (e * x - mx)
            lines[16 + k] += 2.0 * b * (e * y - my)
            lines[24 + k] += 2.0 * b * (e * z - mz)
            lines[32 + k] += b * e
            lines[40 + k] += 4.0 * v * e


add_tangents = compiled(_add_tangents)


def _add_chords(
    tree: Tree,
    chosen: NDArray[np.int32],
    lanes: int,
    parts: NDArray[np.float64],
    lines: NDArray[np.float64],
) -> None:
    """Add a line of each chosen negative source for each of eight parts."""
    table, moments, softening = tree.table, tree.moments, tree.softening
    for s in chosen:
        sx, sy, sz, e = table[0, s], table[1, s], table[2, s], table[3, s]
        floor = table[4, s]
        mx = my = mz = m2 = radius = 0.0
        c = s - tree.first_cluster
        if 0 <= c < len(tree.child):
            mx, my, mz, m2 = moments[0, c], moments[1, c], moments[2, c], moments[3, c]
            radius = moments[4, c]
        for k in range(lanes):
            x, y, z = parts[k] - sx, parts[8 + k] - sy, parts[16 + k] - sz
            ax, ay, az = abs(x), abs(y), abs(z)
            nx = max(ax - parts[24 + k], 0.0)
            ny = max(ay - parts[32 + k], 0.0)
            nz = max(az - parts[40 + k], 0.0)
            p = np.sqrt(nx * nx + ny * ny + nz * nz) * LESS - (radius + UNDERFLOW)
            p = max(p, floor)
            fx, fy, fz = ax + parts[24 + k], ay + parts[32 + k], az + parts[40 + k]
            q = (np.sqrt(fx * fx + fy * fy + fz * fz) + radius) * WIDER + UNDERFLOW
            q = max(q, p, _LEAST_REACH)
            m, w = p * q, p + q
            b = 1.0 / (w * m)
            c = (w * w - m) * b
            if q <= softening:  # 1 / softening for the whole part
                b, c = 0.0, 1.0 / softening
            square = x * x + y * y + z * z
            lines[k] += c * e - b * (e * square - 2.0 * (x * mx + y * my + z * mz) + m2)
            lines[8 + k] -= 2.0 * b * (e * x - mx)
            lines[16 + k] -= 2.0 * b * (e * y - my)
            lines[24 + k] -= 2.0 * b * (e * z - mz)
            lines[32 + k] -= b * e
            lines[40 + k] -= e * (c + b * q * q)


add_chords = compiled(_add_chords)


def _least(gradient: float, curvature: float, half: float) -> float:
    """Return the least of (gradient + curvature t) t for |t| <= half."""
    least = curvature * half * half - abs(gradient) * half
    if curvature > 0.0 and abs(gradient) < 2.0 * curvature * half:
        least = min(least, -0.25 * gradient * gradient / curvature)
    return least


least_along = compiled(_least, inline=True)


def _below(desk: ScratchBuffers, k: int, slack: float) -> float:
    """Return a bound below the values in part k; minus infinity where it overflows."""
    lines, f = desk.lines, desk.moved
    x, y, z = desk.parts[k], desk.parts[8 + k], desk.parts[16 + k]
    hx, hy, hz = desk.parts[24 + k], desk.parts[32 + k], desk.parts[40 + k]
    move(desk.field, f, x - desk.centre[0], y - desk.centre[1], z - desk.centre[2])
    bend = lines[32 + k]
    bound = lines[k] + f[0]
    bound += least_along(lines[8 + k] + f[1], bend + f[4], hx)
    bound += least_along(lines[16 + k] + f[2], bend + f[5], hy)
    bound += least_along(lines[24 + k] + f[3], bend + f[6], hz)
    mixed = abs(f[7]) * hx * hy + abs(f[8]) * hx * hz + abs(f[9]) * hy * hz
    mixed += (abs(f[10]) * hx + abs(f[13]) * hy + abs(f[14]) * hz) * hx * hx
    mixed += (abs(f[11]) * hy + abs(f[15]) * hx + abs(f[16]) * hz) * hy * hy
    mixed += (abs(f[12]) * hz + abs(f[17]) * hx + abs(f[18]) * hy) * hz * hz
    mixed += abs(f[19]) * hx * hy * hz
    bound -= (mixed + f[ERROR]) * WIDER + slack * (f[SIZE] + lines[40 + k])
    return float(bound if np.isfinite(bound) else -np.inf)


below = compiled(_below)
