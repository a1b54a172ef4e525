"""The loops of `app_tier.kernels.jit_branch_and_bound`, to be compiled: what is done with a box.

A box is narrowed, and then cut into parts or, if it is small, into its points:

* **Narrowed.**  Of the sources that were near to the box it is a part of, those that are far from
  it join its field; clusters that are too coarse are taken apart; the others stay near.
* **Cut into parts.**  Each gets a quadratic below the potential there, from the near sources'
  tangents and chords and from the field.  Parts whose least exceeds the best upper bound are
  dropped.
* **Cut into points.**  The near atoms are summed over each of them, and the field is evaluated.

**The field** goes one order beyond that of `app_tier.kernels.far`.  With x = s - c, d = |x|,

    1 / |c + t - s|  =  1/d + (x.t) / d^3 + (3 (x.t)^2 - d^2 |t|^2) / (2 d^5)
                        + (5 (x.t)^3 - 3 d^2 (x.t) |t|^2) / (2 d^7) + R

and |R| <= h^4 / (d^4 (d - h)) for |t| <= h < d, as all |P_k| <= 1.  By Cauchy and Schwarz the
absolute values of all monomials add up to at most

    (1 + h/d + 2 (h/d)^2 + 4 (h/d)^3) / d  <=  2.5 / d     for d >= 2 h,

about the box's centre and also about that of a part c', where |c' - c| + |t'| along an axis is at
most h's component.  `_SIZE` gets 8 |m0| / d.  A cluster adds the error that it has there.

**Tangents and chords** are those of `app_tier.kernels.bounds`, about each part's own centre.  A
tangent at u0 holds for any u0, so for whatever v stands for u0^(-1/2).  As f^2 <= 3 u0, f being the
farthest distance in the part, and m2 / m0 <= u0, its terms add up to at most (3/2 + 4/2) m0 v, and
the size gets 4 m0 v; that of a chord c - b u, which reaches to u = q^2, gets (c + b q^2) |m0|.

**At a point** 1/r is the v1 of `app_tier.kernels.jit_rows`, within 1.2e-4, for r^2 >= `LEAST`.  A
point with a lesser r^2 of some atom has no bound, but if it surely does not qualify, it is dropped:
where r^2 is zero, as the squares of all three differences are, fused with a sum or not; and where
it is below min_distance^2 by far more than its rounding.

**Zones** rule out boxes and points that lie in one by far more than any rounding, 2^-30 of the
square; the others are left to `app_tier.kernels.points`, which knows.

**Sums.**  Nothing is reordered: eight sums of each kind stand side by side, for eight parts or for
every eighth source, so that vectors of them can be added without it.

All that the loops call is in this one file, as numba looks for changes only in the file of a
function that it keeps; `app_tier.kernels.jit_rows` has the first guess, and no reason to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kernels.jit import compiled
from app_tier.kernels.jit_rows import LEAST, first_guess
from app_tier.kernels.nearest import LESS, UNDERFLOW
from app_tier.kernels.sources import WIDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app_tier.kernels.jit_state import Desk, Path, Tree

#: What `look` returns: no box is open; enough was done; points are left; the lists need more room.
DONE, PAUSED, FOUND, FULL = range(4)

LEVELS: Final = 64  #: a box of 2^31 points is halved at most 51 times
POINTS: Final = 64  #: a box of at most so many points is cut into its points
PARTS: Final = 8  #: of a box; also how many sums of a kind stand side by side
BLOCK: Final = 256  #: sources that are looked at together
ROWS: Final = 9

#: A field: 20 coefficients of 1, x, y, z, xx, yy, zz, xy, xz, yz, xxx, yyy, zzz, xxy, xxz, yyx,
#: yyz, zzx, zzy, xyz; then how much the potential may differ from it; and its size.
_ERROR, _SIZE = 20, 21
FIELD: Final = 22

#: Places in `Path.counts` and `Path.numbers`.
OPEN, LEFT, HITS = range(3)
UPPER, COST, UNTIL, GAP, SLACK = range(5)

NEAR_ERROR: Final = 2e-4  #: relative, of 1/r at a point and of its sum
_LEAST_SQUARE: Final = 1e-180  #: of a tangent point: its power -3/2 times any energy is finite
_LEAST_REACH: Final = 1e-60  #: of a chord's far end, for the same reason
_FAR_SQUARE: Final = 1e-40  #: of d: nothing over- or underflows in a field beyond it
_APART: Final = 2.0  #: far sources are at least so many times (half diagonal + radius) away
#: In half diagonals: near clusters of a larger radius are taken apart.  Measured.
_WIDE_POSITIVE: Final = 0.9
_WIDE_NEGATIVE: Final = 0.2
_HALVES: Final = 2
_FAR, _NEAR, _COARSE, _VOID = 0.0, 1.0, 2.0, 3.0  #: what becomes of a source
_NONE, _NO_ROOM = -1, -2  #: instead of a number of sources: no point qualifies; lists are full

#: Costs in nanoseconds, measured and rounded up.
_BOX_COST: Final = 3000.0
_SOURCE_COST: Final = 9.0
_TERM_COST: Final = 1.5
_PAIR_COST: Final = 0.27
_ZONE_COST: Final = 3.0


def _is_engulfed(zones: NDArray[np.float64], x: float, y: float, z: float, desk: Desk) -> bool:
    """Whether a box about (x, y, z), of the desk's halves, surely lies in one zone."""
    for n in range(len(zones)):
        dx = abs(x - zones[n, 0]) + desk.halves[0]
        dy = abs(y - zones[n, 1]) + desk.halves[1]
        dz = abs(z - zones[n, 2]) + desk.halves[2]
        if (dx * dx + dy * dy + dz * dz) * WIDER < zones[n, 3]:
            return True
    return False


is_engulfed = compiled(_is_engulfed)


def _is_inside(zones: NDArray[np.float64], x: float, y: float, z: float) -> bool:
    """Whether a point surely lies in a zone."""
    for n in range(len(zones)):
        dx, dy, dz = x - zones[n, 0], y - zones[n, 1], z - zones[n, 2]
        if dx * dx + dy * dy + dz * dz < zones[n, 3]:
            return True
    return False


is_inside = compiled(_is_inside)


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
    """A field's polynomial at (x, y, z) from its centre."""
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


def _measure(tree: Tree, ends: NDArray[np.int64], desk: Desk) -> float:
    """Write a box's centre and halves, and return its half diagonal; surely not less."""
    square = 0.0
    for k in range(3):
        axis = tree.x if k == 0 else tree.y if k == 1 else tree.z
        low, high = axis[ends[k]], axis[ends[3 + k] - 1]
        centre = 0.5 * (low + high)
        desk.centre[k] = centre
        desk.halves[k] = max(centre - low, high - centre) * WIDER
        square += desk.halves[k] * desk.halves[k]
    return float(np.sqrt(square)) * WIDER + UNDERFLOW


measure = compiled(_measure)


def _gather(
    tree: Tree, chosen: NDArray[np.int32], count: int, centre: NDArray[np.float64], desk: Desk
) -> int:
    """Write some sources into the block, and up to the next eight more that add nothing."""
    table, moments, block = tree.table, tree.moments, desk.block
    cx, cy, cz = centre[0], centre[1], centre[2]
    for j in range(count):
        s = chosen[j]
        block[j] = table[0, s] - cx
        block[BLOCK + j] = table[1, s] - cy
        block[2 * BLOCK + j] = table[2, s] - cz
        block[3 * BLOCK + j] = table[3, s]
        c = s - tree.first_cluster
        if c < 0 or c >= len(tree.child):  # an atom
            block[5 * BLOCK + j] = block[6 * BLOCK + j] = block[7 * BLOCK + j] = 0.0
            continue
        block[5 * BLOCK + j] = moments[4, c]
        first = abs(moments[0, c]) + abs(moments[1, c]) + abs(moments[2, c])
        block[6 * BLOCK + j] = first
        block[7 * BLOCK + j] = abs(moments[3, c])
    while count % PARTS:
        for row in range(ROWS):
            block[row * BLOCK + count] = 0.0
        count += 1
    return count


gather = compiled(_gather)


def _judge(
    block: NDArray[np.float64],
    count: int,
    half: float,
    gap: float,
    reach: float,
    wide: float,
    void: float,
) -> None:
    """Write what becomes of each source of a block; of those that are not far, nothing is left.

    With D = d - h, the error of a far cluster is

        |m0| h^4 / (d^4 D)  +  |m1| / D^2  +  |m2| / (D^2 (D - radius)).
    """
    for j in range(count):
        x, y, z = block[j], block[BLOCK + j], block[2 * BLOCK + j]
        energy, radius = block[3 * BLOCK + j], block[5 * BLOCK + j]
        size = abs(energy)
        square = x * x + y * y + z * z
        distance = np.sqrt(square)
        closest = distance - half
        inner = closest - radius
        over = size * (half * half) * (half * half)
        under = square * square * closest
        cube = closest * closest * inner
        all_over = over * cube + (block[6 * BLOCK + j] * inner + block[7 * BLOCK + j]) * under
        all_under = under * cube
        apart = (
            (distance >= _APART * (radius + half))
            & (square >= _FAR_SQUARE)
            & (inner * LESS >= reach)
        )
        alone = apart & (over <= gap * size * under)  # would be far, were it not a cluster
        far = alone & (all_over <= gap * size * all_under)
        verdict = _COARSE if alone | (radius > wide) else _NEAR
        verdict = _FAR if far else verdict
        verdict = _VOID if distance + half + radius < void else verdict
        block[j] = x if far else 1.0
        block[3 * BLOCK + j] = energy if far else 0.0
        block[4 * BLOCK + j] = all_over / all_under if far else 0.0
        block[8 * BLOCK + j] = verdict


judge = compiled(_judge)


def _take(pending: NDArray[np.int32], waiting: int, chosen: NDArray[np.int32]) -> tuple[int, int]:
    """Take sources from the last pending clusters; return how many, and the clusters left."""
    count = 0
    while waiting > 0 and count < BLOCK:
        first, last = pending[waiting - 1, 0], pending[waiting - 1, 1]
        while first < last and count < BLOCK:
            chosen[count] = first
            first += 1
            count += 1
        pending[waiting - 1, 0] = first
        if first == last:
            waiting -= 1
    return count, waiting


take = compiled(_take)


def _keep(
    tree: Tree, desk: Desk, count: int, lists: NDArray[np.int32], end: int, waiting: int
) -> tuple[int, int]:
    """List the near ones of the sources just judged, and let coarse clusters wait.

    Returns:
        The list's end, or `_NONE` if a source leaves no point that qualifies, and how many wait.
    """
    pending = desk.pending
    for j in range(count):
        verdict = desk.block[8 * BLOCK + j]
        if verdict == _FAR:
            continue
        s = desk.chosen[j]
        if verdict == _VOID:
            return _NONE, waiting
        c = s - tree.first_cluster
        if verdict == _COARSE and 0 <= c < len(tree.child):
            pending[waiting, 0] = tree.child[c]
            pending[waiting, 1] = tree.child[c] + tree.parts[c]
            waiting += 1
        else:
            lists[end] = s
            end += 1
    return end, waiting


keep = compiled(_keep)


def _narrow(
    tree: Tree,
    path: Path,
    desk: Desk,
    lists: NDArray[np.int32],
    level: int,
    half: float,
    wide: float,
    lanes: int,
) -> int:
    """Narrow a level's box; return how many sources were looked at, or `_NONE` or `_NO_ROOM`."""
    near, block, chosen = path.near, desk.block, desk.chosen
    void = tree.min_distance * LESS
    reach = max(tree.softening, tree.min_distance)
    gap = path.numbers[GAP] / (half * half * half)
    desk.sums[:] = 0.0
    end = near[level - 1, 2]
    near[level, 0] = end
    looked = 0
    for sign in range(2):
        i, stop = near[level - 1, sign], near[level - 1, sign + 1]
        limit = (_WIDE_POSITIVE if sign == 0 else _WIDE_NEGATIVE) * wide
        waiting = 0
        while waiting > 0 or i < stop:
            count, waiting = take(desk.pending, waiting, chosen)
            while i < stop and count < BLOCK:
                chosen[count] = lists[i]
                i += 1
                count += 1
            looked += count
            padded = gather(tree, chosen, count, desk.centre, desk)
            judge(block, padded, half, gap, reach, limit, void)
            add_far(block, padded, lanes, desk.sums)
            if end + count > len(lists):
                return _NO_ROOM
            end, waiting = keep(tree, desk, count, lists, end, waiting)
            if end < 0:
                return _NONE
        near[level, sign + 1] = end
    for j in range(FIELD):
        for k in range(PARTS):
            desk.field[j] += desk.sums[PARTS * j + k]
    return looked


narrow = compiled(_narrow)


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


def _cut(tree: Tree, desk: Desk, box: NDArray[np.int64]) -> int:
    """Write the parts of a box, as `app_tier.kernels.boxes.cut` makes them; return how many."""
    lengths = desk.halves.copy()
    if not lengths.max() > 0.0:
        for k in range(3):
            lengths[k] = box[3 + k] - box[k] - 1
    limit = lengths.max() / _HALVES
    ends = desk.ends
    ends[0] = box
    count = 1
    for k in range(3):
        low, high = box[k], box[3 + k]
        if lengths[k] > limit and high - low > 1:
            for n in range(count):
                ends[count + n] = ends[n]
                ends[n, 3 + k] = ends[count + n, k] = (low + high) // 2
            count *= 2
    centre, halves = desk.centre.copy(), desk.halves.copy()
    for n in range(PARTS):  # there are always eight to look at: the last again and again
        measure(tree, ends[min(n, count - 1)], desk)
        for k in range(3):
            desk.parts[PARTS * k + n] = desk.centre[k]
            desk.parts[PARTS * (3 + k) + n] = desk.halves[k]
    desk.centre[:] = centre
    desk.halves[:] = halves
    return count


cut = compiled(_cut)


def _least(gradient: float, curvature: float, half: float) -> float:
    """The least of (gradient + curvature t) t for |t| <= half."""
    least = curvature * half * half - abs(gradient) * half
    if curvature > 0.0 and abs(gradient) < 2.0 * curvature * half:
        least = min(least, -0.25 * gradient * gradient / curvature)
    return least


least_along = compiled(_least, inline=True)


def _below(desk: Desk, k: int, slack: float) -> float:
    """A bound below the values in part k; minus infinity where it overflows."""
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
    bound -= (mixed + f[_ERROR]) * WIDER + slack * (f[_SIZE] + lines[40 + k])
    return float(bound if np.isfinite(bound) else -np.inf)


below = compiled(_below)


def _open_parts(
    tree: Tree, path: Path, desk: Desk, lists: NDArray[np.int32], level: int, lanes: int
) -> None:
    """Cut a box, and open those parts that may hold the least, the lowest bound last."""
    start, middle, end = path.near[level, 0], path.near[level, 1], path.near[level, 2]
    box = path.boxes[path.counts[OPEN], 1:]
    count = cut(tree, desk, box)
    desk.lines[:] = 0.0
    add_tangents(tree, lists[start:middle], lanes, desk.parts, desk.lines)
    add_chords(tree, lists[middle:end], lanes, desk.parts, desk.lines)
    path.numbers[COST] += _TERM_COST * PARTS * (end - start)
    path.centres[level] = desk.centre
    path.fields[level] = desk.field
    first = last = path.counts[OPEN]
    for k in range(count):
        bound = below(desk, k, path.numbers[SLACK])
        if bound > path.numbers[UPPER]:
            continue
        place_of = last
        while place_of > first and path.lowers[place_of - 1] < bound:
            path.lowers[place_of] = path.lowers[place_of - 1]
            path.boxes[place_of] = path.boxes[place_of - 1]
            place_of -= 1
        path.lowers[place_of] = bound
        path.boxes[place_of, 0] = level + 1
        path.boxes[place_of, 1:] = desk.ends[k]
        path.counts[LEFT] += points_of(desk.ends[k])
        last += 1
    path.counts[OPEN] = last


def _points_of(ends: NDArray[np.int64]) -> int:
    return int((ends[3] - ends[0]) * (ends[4] - ends[1]) * (ends[5] - ends[2]))


points_of = compiled(_points_of, inline=True)
open_parts = compiled(_open_parts)


def _add_atoms(
    table: NDArray[np.float64],
    chosen: NDArray[np.int32],
    points: NDArray[np.float64],
    count: int,
    sums: NDArray[np.float64],
    least: NDArray[np.float64],
    softening: float,
) -> None:
    """Add atoms to the sums of e / max(r, softening) at some points; lower their least r^2."""
    px, py, pz = points[0], points[1], points[2]
    soft = softening * softening
    for s in chosen:
        x, y, z, e = table[0, s], table[1, s], table[2, s], table[3, s]
        for k in range(count):
            dx, dy, dz = px[k] - x, py[k] - y, pz[k] - z
            u = dx * dx + dy * dy + dz * dz
            least[k] = min(least[k], u)
            u = max(u, soft)
            v = first_guess(u)
            h = 1.0 - u * v * v
            sums[k] += e * (v + v * h * (0.5 + 0.375 * h))


add_atoms = compiled(_add_atoms)


def _try_points(tree: Tree, path: Path, desk: Desk, lists: NDArray[np.int32], level: int) -> int:
    """Bound each point of a small box, and keep those that may be the least; return how many."""
    plus, minus, nearest = desk.totals[0], desk.totals[1], desk.totals[2]
    plus[:] = 0.0
    minus[:] = 0.0
    nearest[:] = np.inf
    start, middle, end = path.near[level, 0], path.near[level, 1], path.near[level, 2]
    count = write_points(tree, path, desk)
    add_atoms(tree.table, lists[start:middle], desk.points, count, plus, nearest, tree.softening)
    add_atoms(tree.table, lists[middle:end], desk.points, count, minus, nearest, tree.softening)
    path.numbers[COST] += _PAIR_COST * count * (end - start)
    field = desk.field
    margin = field[_ERROR] * WIDER + path.numbers[SLACK] * field[_SIZE]
    hits = 0
    for k in range(count):
        if nearest[k] < tree.min_distance * tree.min_distance * LESS or (
            nearest[k] == 0.0 and tree.softening == 0.0
        ):
            continue
        x = desk.points[0, k] - desk.centre[0]
        y = desk.points[1, k] - desk.centre[1]
        z = desk.points[2, k] - desk.centre[2]
        bound = value(field, x, y, z) - margin
        bound += plus[k] * (1.0 - NEAR_ERROR) + minus[k] * (1.0 + NEAR_ERROR)
        if not np.isfinite(bound) or (nearest[k] < LEAST and tree.softening == 0.0):
            bound = -np.inf
        if bound <= path.numbers[UPPER] and not is_inside(
            tree.zones, desk.points[0, k], desk.points[1, k], desk.points[2, k]
        ):
            path.hits[hits] = path.hits[k]
            path.hit_lowers[hits] = bound
            hits += 1
    return hits


def _write_points(tree: Tree, path: Path, desk: Desk) -> int:
    """Write a small box's points and their linear indices; return how many."""
    box = path.boxes[path.counts[OPEN], 1:]
    n = 0
    for ix in range(box[0], box[3]):
        for iy in range(box[1], box[4]):
            for iz in range(box[2], box[5]):
                desk.points[0, n], desk.points[1, n] = tree.x[ix], tree.y[iy]
                desk.points[2, n] = tree.z[iz]
                path.hits[n] = (ix * len(tree.y) + iy) * len(tree.z) + iz
                n += 1
    return n


write_points = compiled(_write_points)
try_points = compiled(_try_points)


def _look(tree: Tree, path: Path, desk: Desk, lists: NDArray[np.int32], lanes: int) -> int:
    """Look at open boxes, the last first, until something is to be done elsewhere; return what.

    Args:
        tree: what is searched.
        path: where the search is; changed.
        desk: room to work in.
        lists: room for the lists of near sources.
        lanes: `PARTS`.  Were it a constant, loops over it would be unrolled before they are made
            vectors, and would not be made vectors then.
    """
    counts, numbers = path.counts, path.numbers
    while counts[OPEN] > 0:
        if numbers[COST] >= numbers[UNTIL]:
            return PAUSED
        last = counts[OPEN] - 1
        box = path.boxes[last]
        points = points_of(box[1:])
        if path.lowers[last] > numbers[UPPER]:
            counts[OPEN] = last
            counts[LEFT] -= points
            continue
        level = box[0]
        half = measure(tree, box[1:], desk)
        numbers[COST] += _ZONE_COST * len(tree.zones)
        if is_engulfed(tree.zones, desk.centre[0], desk.centre[1], desk.centre[2], desk):
            counts[OPEN] = last
            counts[LEFT] -= points
            continue
        moved = path.centres[level - 1]
        x, y = desk.centre[0] - moved[0], desk.centre[1] - moved[1]
        move(path.fields[level - 1], desk.field, x, y, desk.centre[2] - moved[2])
        # What a small box leaves near is taken apart to the atoms.
        wide = half if points > POINTS else -1.0
        looked = narrow(tree, path, desk, lists, level, half, wide, lanes)
        if looked == _NO_ROOM:
            return FULL
        counts[OPEN] = last
        counts[LEFT] -= points
        numbers[COST] += _BOX_COST + _SOURCE_COST * max(looked, 0)
        if looked == _NONE:
            continue
        if points > POINTS:
            open_parts(tree, path, desk, lists, level, lanes)
            continue
        counts[HITS] = try_points(tree, path, desk, lists, level)
        if counts[HITS] > 0:
            return FOUND
    return DONE


look = compiled(_look)
