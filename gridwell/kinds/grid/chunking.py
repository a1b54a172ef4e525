"""Cutting a grid into chunks.

A plan is the cut indices along each axis.  It is stored with the job, and a chunk's box is a pure
function of it, so that code of another version, or other settings, can never cut another way.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gridwell.engine import limits
from gridwell.engine.canonical_json import sha_of
from gridwell.engine.errors import InvalidMessage
from gridwell.kinds.grid.grid import Box

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Chunking:
    """Partition of a job's grid into chunks.

    Attributes:
        cuts: for each axis the cut indices, rising from 0 to the axis's length.
    """

    cuts: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

    @property
    def chunks(self) -> int:
        """Number of chunks, which are numbered from 0 in C order."""
        x, y, z = self.cuts
        return (len(x) - 1) * (len(y) - 1) * (len(z) - 1)

    @property
    def sha(self) -> str:
        """The name of the plan in messages."""
        return _sha(self.cuts)

    def box(self, chunk: int) -> Box:
        """Return the box of chunk number `chunk`.

        Raises:
            InvalidMessage: if there is no such chunk.
        """
        if not 0 <= chunk < self.chunks:
            raise InvalidMessage(f"chunk {chunk} is not one of the plan's {self.chunks}")
        parts = [len(cuts) - 1 for cuts in self.cuts]
        rest, z = divmod(chunk, parts[2])
        x, y = divmod(rest, parts[1])
        low, high = zip(
            *((cuts[k], cuts[k + 1]) for cuts, k in zip(self.cuts, (x, y, z), strict=True)),
            strict=True,
        )
        return Box(low, high)

    def chunk_at(self, triple: tuple[int, int, int]) -> int:
        """Return the number of the chunk that holds the point with these grid indices."""
        number = 0
        for cuts, at in zip(self.cuts, triple, strict=True):
            number = number * (len(cuts) - 1) + bisect.bisect_right(cuts, at) - 1
        return number

    def points(self, chunks: Iterable[int]) -> int:
        """Return the number of grid points in some chunks of the plan."""
        sizes = _sizes(self.cuts)
        return sum(sizes[chunk] for chunk in chunks)

    def encode(self) -> list[list[int]]:
        """Return the plan as JSON holds it."""
        return [list(cuts) for cuts in self.cuts]

    @classmethod
    def decode(cls, value: Any) -> Chunking:
        """Return the plan that `encode` gave.

        Raises:
            InvalidMessage: if these are not three rising rows of cut indices from 0.
        """
        try:
            x, y, z = (tuple(cuts) for cuts in value)
        except (TypeError, ValueError) as error:
            raise InvalidMessage(f"{value!r} is not a plan of three rows of cuts") from error
        for cuts in (x, y, z):
            whole = all(type(cut) is int for cut in cuts)
            rising = whole and all(a < b for a, b in itertools.pairwise(cuts))
            if len(cuts) < len(("from", "to")) or cuts[0] != 0 or not rising:
                raise InvalidMessage(f"{cuts} does not rise from 0")
        return cls((x, y, z))


def split(shape: tuple[int, int, int], chunks: int) -> Chunking:
    """Cut a grid into near-cubic boxes: at least `chunks` of them where the limits allow.

    The axis whose pieces are longest is halved until there are enough.

    Args:
        shape: points along each axis.
        chunks: how many are wanted, at least 1.
    """
    parts = [1, 1, 1]
    while math.prod(parts) < chunks:
        options = [
            (shape[k] / parts[k], -k)
            for k in range(3)
            if parts[k] < shape[k] and _doubled(parts, shape, k) <= limits.MAX_CHUNKS
        ]
        if not options:
            break
        k = -max(options)[1]
        parts[k] = min(2 * parts[k], shape[k])
    x, y, z = (
        tuple(length * k // count for k in range(count + 1))
        for length, count in zip(shape, parts, strict=True)
    )
    return Chunking((x, y, z))


@functools.lru_cache(maxsize=1024)
def _sizes(cuts: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """Return the points of each chunk: added up for every step of a job's bar."""
    spans = ([high - low for low, high in itertools.pairwise(row)] for row in cuts)
    return tuple(math.prod(shape) for shape in itertools.product(*spans))


@functools.lru_cache(maxsize=1024)
def _sha(cuts: tuple[tuple[int, ...], ...]) -> str:
    """Asked once for every message, of a few plans."""
    return sha_of(cuts)


def _doubled(parts: list[int], shape: tuple[int, int, int], k: int) -> int:
    """Return the number of chunks after one more cut of axis `k`."""
    return math.prod(parts) // parts[k] * min(2 * parts[k], shape[k])
