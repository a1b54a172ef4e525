"""Direct summation that looks in single precision first: half the bytes, more than twice the speed.

As `app_tier.kinds.grid.kernels.sum.row_sums`, but the tables dx*dx, dy*dy and dz*dz are rounded to
float32 after their computation in float64. Units of length and energy are powers of two. No entry
is negative, so nothing cancels in their sum, and r is as good for near atoms as for far ones.

**The error bound.**  With v = 2^-24 and blocks of K atoms:

* r^2 is within 3 v (1 + o(1)) of the true one: one rounding of each table and two of the sum.
  Where it is below `_LEAST` units, squares may be subnormal or zero; such points are treated apart.
* So r is within 2.5 v, its reciprocal within 3.5 v, as well with a softening that is rounded.
* An energy is within v, or within 2^-149 units if it is subnormal; with 1/r below 1e15 that makes
  less than 1e-29 units an atom.
* Positive and negative energies are summed apart, as P and M: the value is P - M, and S is P + M.
* A product of vectors of length K is within K v / (1 - K v) of the sum of absolute products, in any
  order; blocks are added up in float64.
* Together: within (K + 6) v S (1 + o(1)) + 1e-29 N units of sum e_i / r_i.

The bound used is 1.01 (K + 8) v S with S as computed, which is within the same relative error, plus
1e-28 N units and the one of `app_tier.kinds.grid.kernels.sum.row_sums` for the canonical value.

A point may not qualify when the computed r^2 of some atom is below min_distance^2 (1 + 8 v), and
does not when it is below min_distance^2 (1 - 8 v).  What is unknown, and all points that could be
the least, are summed again in float64 (`app_tier.kinds.grid.kernels.sum.point_bounds`).  Where
that is more than a few points of a hundred, as in a lattice, single precision does not pay: then
the rest is float64.  To find that out costs little, as the first slab is a small one.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels.sum.point_bounds import Points
from app_tier.kinds.grid.kernels.sum.row_sums import (
    RowBlock,
    bounds,
    error_factor,
    slabs,
    weights_of,
)
from app_tier.kinds.grid.kernels.sum.survivors import Survivors
from app_tier.kinds.grid.kernels.sum.sweep import swept

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Progress, Question
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Box, Grid
    from gridwell.kinds.grid.minimum import Minimum

_ATOMS: Final = 512  #: atoms of a block: the bound grows with it
_PAIRS: Final = 1 << 17  #: distances held together: 512 KiB, in the second cache of a core
_REPORT: Final = 16  #: blocks of pairs between two signs of life: some milliseconds
_V: Final = 2.0**-24
_RELATIVE: Final = 1.01 * (_ATOMS + 8) * _V
_ABSOLUTE: Final = 1e-28  #: units, for each atom
_FARTHEST: Final = 2.0**40  #: units: where the farthest atom is, so that no square overflows
_LEAST: Final = 1e-30  #: of r^2 in units; sums of two squares above it lose nothing
_BATCH: Final = 64  #: points that are summed in float64 together
_PROBE: Final = 512  #: points of the first slab
#: Pairs of a slab from which on a small one goes first: some milliseconds.
_PROBED: Final = 4_000_000
_POOR: Final = 0.03  #: of a slab's points: with more than these again, single precision is no gain
_FIRST: Final = 0.3  #: of a slab's work, where all of it is done again in float64


def single_minimum(
    question: Question, box: Box, *, best: Minimum | None, progress: Progress
) -> Minimum | None:
    """Sum a box in single precision first, as `app_tier.kinds.grid.kernels.kernel.Kernel`."""
    return least_of_boxes(question, (box,), best, progress)


def least_of_boxes(
    question: Question, boxes: Iterable[Box], best: Minimum | None, progress: Progress
) -> Minimum | None:
    """Return the same for several boxes, which share what one teaches, such as the way to sum."""
    search = _Filter(question, best)
    every = _small_first(chain.from_iterable(map(slabs, boxes)), question.atoms.count)
    return swept(every, search.look, search.survivors, progress)


class _Filter:
    """State that is kept between slabs."""

    def __init__(self, question: Question, best: Minimum | None) -> None:
        self._question = question
        atoms, acts = question.atoms, question.acts
        self.survivors = Survivors(question, best)
        self._points = Points(question)
        self._grid, self._atoms, self._zones = question.grid, atoms, question.zones
        self._min_distance, self._softening = question.min_distance, question.softening
        self._upper = math.inf if best is None else best.value
        extent = max(_extent(self._grid, atoms), self._min_distance, self._softening)
        self._unit = _power_of_two(extent / _FARTHEST)
        self._energy = _power_of_two(float(np.abs(atoms.energies).max()))
        # Sums of one sign give both the value and S, for one product instead of two.
        positive = acts & (atoms.energies > 0)
        sizes = np.where(acts, np.abs(atoms.energies), 0.0)
        sizes /= self._energy
        self._signs = [
            (atoms.positions[own], sizes[own].astype(np.float32)) for own in (positive, ~positive)
        ]
        self._pays = True

    def look(self, slab: RowBlock) -> Iterator[float]:
        """Look at a slab's points, and yield again and again what share of the work is done."""
        if self._pays:
            lower, upper = yield from self._single(slab)
            if len(self._zones):
                free = slab.outside(self._grid, self._zones)
                lower, upper = np.where(free, lower, np.inf), np.where(free, upper, np.inf)
            self._upper = min(self._upper, float(upper.min()))
            again = slab.indices(self._grid)[~(lower > self._upper)]
            self._pays = len(again) <= _POOR * slab.points + _BATCH
            if self._pays:
                for start in range(0, len(again), _BATCH):
                    batch = again[start : start + _BATCH]
                    good, low, high = self._points.bounds(batch)
                    yield from self._add(batch[good], low, high)
                return
        yield from self._double(slab)

    def _add(
        self,
        indices: NDArray[np.int64],
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
    ) -> Iterator[float]:
        self._upper = min(self._upper, float(upper.min(initial=math.inf)))
        for _ in self.survivors.add(indices, lower, upper):
            yield 1.0
        yield 1.0

    def _double(self, slab: RowBlock) -> Iterator[float]:
        weights = weights_of(self._atoms.energies, self._question.acts)
        for share, found in bounds(self._question, weights, slab):
            yield _FIRST + (1.0 - _FIRST) * share
            if found is not None:
                yield from self._add(*found)

    def _single(
        self, slab: RowBlock
    ) -> Generator[float, None, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Bounds below and above the slab's points; -inf and inf where nothing is known."""
        rows, length = len(slab.ix), len(slab.iz)
        # Many rows share an ix or an iy, and with it a table of squares.
        (some_x, ix), (some_y, iy) = (
            np.unique(steps, return_inverse=True) for steps in (slab.ix, slab.iy)
        )
        steps = some_x, some_y, slab.iz
        x, y, z = (self._grid.axis(k)[chosen] for k, chosen in enumerate(steps))
        softening = np.float32(self._softening / self._unit)
        near = max(_LEAST, 2.0 * (self._min_distance / self._unit) ** 2)
        sum_of = np.zeros((rows, length, 2))
        nearest = np.full((rows, length), np.inf, dtype=np.float32)
        width = min(self._atoms.count, _ATOMS)
        height = max(1, min(rows, _PAIRS // (width * length)))
        scratch = np.empty(height * length * width, dtype=np.float32)
        blocks = done = 0
        for sign, positions, sizes in self._blocks():
            ax, ay, az = positions.T
            dx, dy, dz = self._squares(x, ax), self._squares(y, ay), self._squares(z, az)
            for top in range(0, rows, height):
                part = slice(top, min(top + height, rows))
                q = dx[ix[part]]
                q += dy[iy[part]]
                shape = (len(q), length, len(sizes))
                r = scratch[: math.prod(shape)].reshape(shape)
                np.add(q[:, None, :], dz, out=r)
                if q.min() < near:  # r^2 is never less than its first table
                    np.minimum(nearest[part], r.min(axis=2), out=nearest[part])
                np.sqrt(r, out=r)
                if softening > 0:
                    np.maximum(r, softening, out=r)
                np.reciprocal(r, out=r)
                sum_of[part, :, sign] += (r.reshape(-1, len(sizes)) @ sizes).reshape(shape[:2])
                blocks += 1
                if blocks % _REPORT == 0:
                    yield _FIRST * done / self._atoms.count
            done += len(sizes)
        return self._bounds(sum_of, nearest)

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float32]]]:
        """Blocks of atoms: 0 or 1 for their sign, places, and energies without it."""
        for sign, (positions, sizes) in enumerate(self._signs):
            for start in range(0, len(sizes), _ATOMS):
                yield sign, positions[start : start + _ATOMS], sizes[start : start + _ATOMS]

    def _squares(
        self, places: NDArray[np.float64], column: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        d = places[:, None] - column
        d *= 1.0 / self._unit
        d *= d
        return d.astype(np.float32)

    def _bounds(
        self, sum_of: NDArray[np.float64], nearest: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        count = self._atoms.count
        plus, minus = sum_of[..., 0], sum_of[..., 1]
        value, size = plus - minus, plus + minus
        margin = (_RELATIVE + error_factor(self._atoms)) * size + _ABSOLUTE * count
        scale = self._energy / self._unit
        square = (self._min_distance / self._unit) ** 2
        known = np.isfinite(margin) & (nearest >= max(_LEAST, square * (1 + 8 * _V)))
        lower = np.where(known, (value - margin) * scale, -np.inf)
        upper = np.where(known, (value + margin) * scale, np.inf)
        void = nearest < square * (1 - 8 * _V)
        return np.where(void, np.inf, lower), upper


def _small_first(every: Iterator[RowBlock], atoms: int) -> Iterator[RowBlock]:
    """Yield the same points, the first few of them by themselves if they have many atoms."""
    for slab in every:
        few = max(1, _PROBE // len(slab.iz))
        rows = few if slab.points * atoms >= _PROBED else len(slab.ix)
        for part in (slice(rows), slice(rows, None)):
            if len(slab.ix[part]):
                yield RowBlock(slab.ix[part], slab.iy[part], slab.iz)
        break
    yield from every


def _extent(grid: Grid, atoms: Atoms) -> float:
    """Return a length that no distance between a point and an atom exceeds."""
    low = np.minimum(atoms.positions.min(axis=0), [grid.axis(k)[0] for k in range(3)])
    high = np.maximum(atoms.positions.max(axis=0), [grid.axis(k)[-1] for k in range(3)])
    return max(float(np.linalg.norm(high - low)), 1e-200)


def _power_of_two(value: float) -> float:
    return 2.0 ** math.ceil(math.log2(value)) if value > 0 else 1.0
