"""Estimated seconds of a job, and the number of its chunks.

One measured table, of the kernels in `app_tier.kinds.grid.kernels` on one core of a 2020s server
with numpy alone.  Which kernel runs is decided here too, as the cost hangs on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.engine.limits import MAX_CHUNKS
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND

if TYPE_CHECKING:
    from gridwell.kinds.grid.series import Series

PAIRS_PER_SECOND: Final = 1.0e9  #: summed one by one, in single precision
MAP_PAIRS_PER_SECOND: Final = 4.5e8  #: the same in double precision, for maps
SECONDS_PER_CHUNK: Final = 2e-3  #: whatever it holds

#: Below so many pairs all of them are summed before a search gets going: measured on cubes of 16
#: and 32 points with 30 to 4,000 atoms, where both take about 10 ms.
SEARCHED_PAIRS: Final = 5_000_000
#: With more atoms than this for each point there are wells everywhere, and little can be skipped:
#: at 0.45 the search takes a third of the sum's time, at 0.9 half as much again.
SEARCHED_DENSITY: Final = 0.7
SEARCH_SECONDS: Final = 1e-2
#: Of the search: atoms per grid point, and seconds per atom.  Signed random atoms, medians of two
#: seeds on cubes of 24 to 256 points with 1,000 to 100,000 atoms; one sign is far quicker.
SEARCH_TABLE: Final = ((1e-2, 1.5e-5), (1e-1, 3e-5), (4e-1, 5e-5), (7e-1, 1e-4))

#: A series on so many points is found by one sum, if that is estimated to be quicker: two float64
#: for each point are 64 MiB then.
LADDER_POINTS: Final = 1 << 22
LADDER_PAIRS_PER_SECOND: Final = 4.4e8  #: in double precision: 4.9e8, and 4.1e8 with distances
LADDER_POINTS_PER_SECOND: Final = 1.5e7  #: looked at for the first point of a series
LADDER_STEPS_PER_SECOND: Final = 3.0e8  #: points, for each next point of a series
LADDER_IONS_PER_SECOND: Final = 5.0e7  #: points, for each next ion: its potential is added
#: Pairs summed one by one where distances to the atoms must be looked at as well.
DISTANT_PAIRS_PER_SECOND: Final = 4.5e8


@dataclass(frozen=True, slots=True)
class _Slowdown:
    """Cost factor of a search with exclusion zones or a minimum distance.

    Away from all atoms and from other points the potential is flat, and bounds rule out less than
    beside wells. The factor grows with the number of atoms and of points found. It falls with the
    density of atoms, which leaves less room for flat regions.
    """

    once: float  #: with 1,000 atoms, for one point
    atoms: float  #: the power of the number of atoms with which that grows
    points: float  #: and of the number of points

    def of(self, atoms: int, count: int, density: float) -> float:
        """Return the mean over `count` points, with `density` atoms for each grid point."""
        flat = self.once * math.pow(atoms / 1000, self.atoms) * math.pow(count, self.points)
        return flat / (1 + _CROWDED * density)


_CROWDED: Final = 15.0
#: Fitted to CPU times of `python -m benchmarks.series` on cubes of 32 to 128 points with 100 to
#: 10,000 signed atoms, whose estimates then are within a half of what was measured, but for one.
_DISTANT: Final = _Slowdown(5.1, 0.31, 0.26)  #: with a min_distance
_NEAR: Final = _Slowdown(0.58, 0.19, 0.44)  #: without one

CHUNK_SECONDS: Final = 2.0  #: long enough to make a message's cost small, short enough to share
SHARED_POINTS: Final = 32_768  #: from here on a job has at least `SHARED_CHUNKS`
SHARED_CHUNKS: Final = 8


def is_searched(points: int, atoms: int, *, grid_points: int) -> bool:
    """Return True if a box is searched by branch and bound instead of summed.

    Args:
        points: of the box.
        atoms: how many there are.
        grid_points: of the whole grid.
    """
    return points * atoms >= SEARCHED_PAIRS and atoms <= SEARCHED_DENSITY * grid_points


def seconds(
    shape: tuple[int, int, int],
    atoms: int,
    kind: str = MINIMUM_KIND,
    series: Series | None = None,
    *,
    min_distance: float = 0.0,
) -> float:
    """Estimated seconds of one core for a job.

    Args:
        shape: of its grid.
        atoms: how many there are.
        kind: of job.
        series: the points that are wanted; None: the least one.
        min_distance: within which of an atom no point qualifies.
    """
    if series is None:
        mapped = math.prod(shape) * atoms / MAP_PAIRS_PER_SECOND if kind == MAP_KIND else 0.0
        if min_distance > 0:
            return mapped + _searched_seconds(shape, atoms, 1, distant=True)
        return mapped + _minimum_seconds(shape, atoms)
    if is_summed(shape, atoms, series, min_distance=min_distance):
        return _ladder_seconds(shape, atoms, series)
    return _searched_seconds(shape, atoms, series.count, distant=min_distance > 0)


def is_summed(
    shape: tuple[int, int, int], atoms: int, series: Series, *, min_distance: float
) -> bool:
    """Return True if one sum over the grid finds the points of a series, instead of searches."""
    if math.prod(shape) > LADDER_POINTS:
        return False
    searched = _searched_seconds(shape, atoms, series.count, distant=min_distance > 0)
    return _ladder_seconds(shape, atoms, series) <= searched


def _minimum_seconds(shape: tuple[int, int, int], atoms: int) -> float:
    points = math.prod(shape)
    summed = points * atoms / PAIRS_PER_SECOND
    if not is_searched(points, atoms, grid_points=points):
        return SECONDS_PER_CHUNK + summed
    densities, rates = np.log(SEARCH_TABLE).T
    rate = math.exp(np.interp(math.log(atoms / points), densities, rates))
    return SECONDS_PER_CHUNK + min(summed, SEARCH_SECONDS + atoms * rate)


def _ladder_seconds(shape: tuple[int, int, int], atoms: int, series: Series) -> float:
    points = math.prod(shape)
    summed = points * atoms / LADDER_PAIRS_PER_SECOND
    rate = LADDER_IONS_PER_SECOND if series.ion else LADDER_STEPS_PER_SECOND
    looked = points / LADDER_POINTS_PER_SECOND + (series.count - 1) * points / rate
    return SECONDS_PER_CHUNK + summed + looked


def _searched_seconds(
    shape: tuple[int, int, int], atoms: int, count: int, *, distant: bool
) -> float:
    points = math.prod(shape)
    rate = DISTANT_PAIRS_PER_SECOND if distant else PAIRS_PER_SECOND
    summed = SECONDS_PER_CHUNK + points * atoms / rate
    if not is_searched(points, atoms, grid_points=points):
        return count * summed
    slowdown = (_DISTANT if distant else _NEAR).of(atoms, count, atoms / points)
    return count * min(summed, slowdown * _minimum_seconds(shape, atoms))


def chunk_count(
    shape: tuple[int, int, int],
    atoms: int,
    kind: str = MINIMUM_KIND,
    series: Series | None = None,
) -> int:
    """Return the number of chunks for a job.

    One for each two seconds of work, but enough that a progress bar moves and that instances
    share what is worth sharing: eight messages still go out in one call.  And enough that a
    worker can hold a chunk's map, where it is kept.  A series is one chunk, as each point needs
    those before it.
    """
    if series is not None:
        return 1
    points = math.prod(shape)
    wanted = math.ceil(seconds(shape, atoms, kind) / CHUNK_SECONDS)
    if points >= SHARED_POINTS:
        wanted = max(wanted, SHARED_CHUNKS)
    if kind == MAP_KIND:
        wanted = max(wanted, math.ceil(points / limits.MAP_CHUNK_POINTS))
    return min(max(wanted, 1), MAX_CHUNKS)
