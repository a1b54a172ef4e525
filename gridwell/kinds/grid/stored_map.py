"""Stored form of a chunk's potentials, and reading of a map from chunks.

A stored chunk is a .npy file: float64, little-endian, in C order, not a number where a point has no
value.  The chunks are boxes of the grid, and the map's order is the grid's. So each slab of the map
takes one run of bytes from each chunk that it crosses.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.engine.errors import InvalidMessage
from gridwell.kinds.grid.formats.atoms.npy import float64_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gridwell.kinds.grid.chunking import Chunking

DTYPE: Final = "<f8"
VALUE_BYTES: Final = 8  #: of a float64


@dataclass(frozen=True, slots=True)
class ValueRun:
    """Bytes of one stored chunk that are a block of a slab."""

    chunk: int
    start: int  #: the first byte
    length: int  #: in bytes
    header: bytes  #: what the bytes must begin with; empty but for a chunk's first ones
    shape: tuple[int, int, int]  #: of the block
    low: tuple[int, int, int]  #: where the block begins in the slab

    def values(self, data: bytes) -> NDArray[np.float64]:
        """Return the block, from the bytes that were read.

        Raises:
            InvalidMessage: if they are not those of a chunk of this plan.
        """
        if len(data) != self.length or not data.startswith(self.header):
            raise InvalidMessage(
                f"the stored map of chunk {self.chunk} is damaged, or of another release"
            )
        values: NDArray[np.float64] = np.frombuffer(data, DTYPE, offset=len(self.header))
        return values.reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Slab:
    """A piece of a map: consecutive points in C order."""

    shape: tuple[int, int, int]
    runs: tuple[ValueRun, ...]


def map_slabs(plan: Chunking, *, most_points: int) -> Iterator[Slab]:
    """Yield a map in slabs that follow each other in C order.

    Args:
        plan: how the map is cut into chunks.
        most_points: of a slab, where a single row along z does not have more.
    """
    (*_, ny), (*_, nz) = plan.cuts[1:]
    layers, rows = max(1, most_points // (ny * nz)), min(ny, max(1, most_points // nz))
    # Several layers are whole ones: what a slab takes from a chunk is then one run of bytes.
    for i, (low, high) in enumerate(_intervals(plan.cuts[0])):
        for x in range(low, high, layers):
            for y in range(0, ny, rows):
                yield _slab(plan, i, (x, min(x + layers, high)), (y, min(y + rows, ny)))


def _slab(plan: Chunking, i: int, x: tuple[int, int], y: tuple[int, int]) -> Slab:
    """Return the slab of the points between x and y, which lies in row `i` of the plan's chunks."""
    y_intervals, z_intervals = (_intervals(cuts) for cuts in plan.cuts[1:])
    runs = []
    for j, (y_low, y_high) in enumerate(y_intervals):
        first, last = max(y[0], y_low), min(y[1], y_high)
        if first >= last:
            continue
        for k, (z_low, z_high) in enumerate(z_intervals):
            chunk = (i * len(y_intervals) + j) * len(z_intervals) + k
            box = plan.box(chunk)
            shape = (x[1] - x[0], last - first, z_high - z_low)
            before = ((x[0] - box.low[0]) * box.shape[1] + first - y_low) * box.shape[2]
            header = float64_header(box.shape)
            held = header if before == 0 else b""
            runs.append(
                ValueRun(
                    chunk=chunk,
                    start=0 if held else len(header) + before * VALUE_BYTES,
                    length=len(held) + math.prod(shape) * VALUE_BYTES,
                    header=held,
                    shape=shape,
                    low=(0, first - y[0], z_low),
                )
            )
    return Slab((x[1] - x[0], y[1] - y[0], plan.cuts[2][-1]), tuple(runs))


def _intervals(cuts: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(itertools.pairwise(cuts))
