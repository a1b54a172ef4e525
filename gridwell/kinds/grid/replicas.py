"""Comparison of two reports of one task of the grid kinds.  Pure.

A kernel gives the least of its box and of a likely point from elsewhere, which each worker may
have another one of.  So two honest reports of a chunk may differ. Their points in the box must be
equal, and no point of the box may be less than the other report's point from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.kinds.grid.minimum import Minimum

if TYPE_CHECKING:
    from gridwell.engine.replica import Replica
    from gridwell.kinds.grid.grid import Box, Grid


def agree(one: Replica, other: Replica, grid: Grid, box: Box, *, series: bool) -> bool:
    """Return whether two reports of a task can both be true."""
    if series:
        return one.keys == other.keys
    first, second = _least(one), _least(other)
    if not _is_in(first, grid, box):
        first, second = second, first
    if first is None or not _is_in(first, grid, box):
        return True  # neither reports a point of the box
    if second is None:
        return False  # and there is one
    return first == second if _is_in(second, grid, box) else first > second


def _least(replica: Replica) -> Minimum | None:
    return Minimum.from_key(replica.keys[0]) if replica.keys else None


def _is_in(point: Minimum | None, grid: Grid, box: Box) -> bool:
    if point is None:
        return False
    triple = grid.triple(point.index)
    return all(low <= at < high for low, at, high in zip(box.low, triple, box.high, strict=True))
