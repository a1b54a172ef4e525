"""What a chunk or a job costs in seconds, and how many chunks a job is cut into."""

from __future__ import annotations

import math
from typing import Final

from gridwell.domain import limits

#: Measured for the direct kernel on one core: pairs per second, and seconds per chunk and row.
PAIRS_PER_SECOND: Final = 3.0e8
SECONDS_PER_ROW: Final = 6e-6  #: a row is the points that share ix and iy
SECONDS_PER_CHUNK: Final = 1e-3

CHUNK_SECONDS: Final = 2.0  #: long enough to make a message's cost small, short enough to share
SHARED_POINTS: Final = 32_768  #: from here on a job has at least `SHARED_CHUNKS`
SHARED_CHUNKS: Final = 8


def seconds(shape: tuple[int, int, int], atoms: int) -> float:
    """Estimated seconds that one core needs for a box of `shape` with `atoms` atoms."""
    rows = shape[0] * shape[1]
    pairs = rows * shape[2] * atoms
    return SECONDS_PER_CHUNK + rows * SECONDS_PER_ROW + pairs / PAIRS_PER_SECOND


def chunk_count(shape: tuple[int, int, int], atoms: int) -> int:
    """How many chunks a job should be cut into.

    One for each two seconds of work, but enough that a progress bar moves and that instances
    share what is worth sharing: eight messages still go out in one call.
    """
    wanted = math.ceil(seconds(shape, atoms) / CHUNK_SECONDS)
    if math.prod(shape) >= SHARED_POINTS:
        wanted = max(wanted, SHARED_CHUNKS)
    return min(max(wanted, 1), limits.MAX_CHUNKS)
