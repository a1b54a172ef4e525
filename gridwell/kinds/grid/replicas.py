"""Chunks that two workers compute, and what their reports say together.  Pure.

A kernel gives the least of its box and of a likely point from elsewhere, which each worker may
have another one of.  So two honest reports of a chunk may differ. Their points in the box must be
equal, and no point of the box may be less than the other report's point from elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridwell.kinds.grid.minimum import Minimum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.kinds.grid.grid import Box, Grid


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Replica:
    """Report of one worker on a chunk that two compute."""

    chunk: int
    worker: str
    points: tuple[str, ...]  #: keys of minima: the least, or those of a series; none: no candidate
    at: float  #: when it was received
    map: str = ""  #: the digest of the chunk's map; empty: it keeps none

    def encode(self) -> str:
        """Return the opinion as JSON text."""
        fields = [self.chunk, self.worker, self.points, self.at, self.map]
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Replica:
        """Return the opinion that `encode` gave.

        Raises:
            ValueError: if the text is none.
        """
        chunk, worker, points, at, digest = json.loads(text)
        return cls(chunk=chunk, worker=worker, points=tuple(points), at=at, map=digest)

    @property
    def found(self) -> tuple[Minimum, ...]:
        """The points."""
        return tuple(map(Minimum.from_key, self.points))

    @property
    def best(self) -> Minimum | None:
        """The least of the points."""
        return self.found[0] if self.points else None


def agree(one: Replica, other: Replica, grid: Grid, box: Box, *, series: bool) -> bool:
    """Return whether two reports of a chunk can both be true."""
    if series:
        return one.points == other.points
    first, second = one.best, other.best
    if not _is_in(first, grid, box):
        first, second = second, first
    if first is None or not _is_in(first, grid, box):
        return True  # neither reports a point of the box
    if second is None:
        return False  # and there is one
    return first == second if _is_in(second, grid, box) else first > second


def settled(
    opinions: Iterable[Replica], grid: Grid, box: Box, *, series: bool
) -> tuple[list[Replica], list[Replica]]:
    """Return the first two opinions of different workers that agree, and those that contradict.

    Returns:
        The two, none while no two agree; and the others, each of which contradicts one of the two.
    """
    known = sorted(opinions)
    for k, one in enumerate(known):
        for other in known[k + 1 :]:
            if one.worker == other.worker or not agree(one, other, grid, box, series=series):
                continue
            pair = [one, other]
            return pair, [
                each
                for each in known
                if each not in pair
                and not all(agree(each, two, grid, box, series=series) for two in pair)
            ]
    return [], []


def _is_in(point: Minimum | None, grid: Grid, box: Box) -> bool:
    if point is None:
        return False
    place = grid.triple(point.index)
    return all(low <= at < high for low, at, high in zip(box.low, place, box.high, strict=True))
