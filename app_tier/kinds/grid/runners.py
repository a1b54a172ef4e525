"""Runners of the grid kinds: the least potential of a box, a series of points, a map.

A task is a box of the problem's grid.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app_tier.executor.port import KnownTask, Report, Runner, TaskFile, TaskOutput
from app_tier.kinds.grid.kernels import find_minimum, potential_map
from app_tier.kinds.grid.kernels.choice import is_large
from app_tier.kinds.grid.kernels.sum.incremental_series import IncrementalSeries
from app_tier.kinds.grid.known_task import known_task
from app_tier.kinds.grid.warm_up import have_compiled
from gridwell.kinds.grid import cost
from gridwell.kinds.grid.chunking import Chunking
from gridwell.kinds.grid.formats.atoms.npy import float64_header
from gridwell.kinds.grid.grid import Box
from gridwell.kinds.grid.map_objects import MAP_FILE
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series_points import steps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Progress
    from gridwell.kinds.grid.atoms import Atoms


@dataclass(frozen=True, slots=True)
class Found:
    """The findings in a box.

    Attributes:
        best: the least potential; None: no point qualified.
        points: those of a series, in the order in which they were found; None: of another kind.
        map: the potentials of the box's points, to be stored; None: of another kind.
    """

    best: Minimum | None
    points: tuple[Minimum, ...] | None = None
    map: NDArray[np.float64] | None = None


#: Takes the problem, the task's box, the index of a likely point, and the report of progress:
#: the number of points of the series that are found, else 0.
Search = Callable[[Problem, Box, int | None, Report], Found]


@dataclass(frozen=True, slots=True)
class GridRunner(Runner[Problem]):
    """Runner of one of the grid kinds.

    Attributes:
        search: computes a box.
        tests_as: the kind as which it offers the known task; None: it offers none.
    """

    search: Search
    tests_as: str | None = None

    def load(self, stored: Path, sha: str) -> Problem:
        """Read a stored problem."""
        return Problem.decode(stored, sha=sha)

    def run(
        self, spec: Problem, detail: Mapping[str, Any], task: int, hint: str | None, report: Report
    ) -> TaskOutput:
        """Compute the task's box."""
        box = Chunking.decode(detail["plan"]).box(task)
        if is_large(spec.atoms, box):
            have_compiled(report)
        incumbent = None if hint is None else Minimum.from_key(hint).index
        found = self.search(spec, box, incumbent, report)
        return TaskOutput(
            best=None if found.best is None else found.best.key(),
            payload=None if found.points is None else tuple(p.key() for p in found.points),
            file=None if found.map is None else _map_file(found.map),
        )

    def known_task(self) -> KnownTask | None:
        """Return the problem whose answer is known."""
        return None if self.tests_as is None else known_task(self.tests_as)


def _map_file(values: NDArray[np.float64]) -> TaskFile:
    return TaskFile(type=MAP_FILE, write=functools.partial(write_map, values))


def write_map(values: NDArray[np.float64], path: Path) -> None:
    """Write a map to a file, as `gridwell.kinds.grid.stored_map` reads it."""
    with path.open("wb") as file:
        file.write(float64_header(values.shape))
        np.ascontiguousarray(values, "<f8").tofile(file)


def minimum(problem: Problem, box: Box, incumbent: int | None, report: Report) -> Found:
    """Find the least potential of the box and the incumbent."""
    return Found(_minimum(problem, box, incumbent, _uncounted(report)))


def series(problem: Problem, box: Box, incumbent: int | None, report: Report) -> Found:
    """Find the points of the problem's series, by one sum or by a search for each.

    A search is of the whole box: a next point can lie anywhere.
    """
    grid, min_distance, softening = problem.grid, problem.min_distance, problem.softening
    points: list[Minimum] = []

    def progress(_done: int) -> None:
        report(len(points))

    def search(acting: Atoms, zones: NDArray[np.float64], hint: int | None) -> Minimum | None:
        if not len(zones) and incumbent is not None:
            hint = incumbent
        return find_minimum(
            grid,
            acting,
            box,
            min_distance=min_distance,
            softening=softening,
            zones=zones,
            incumbent=hint,
            progress=progress,
        )

    summed = problem.series and cost.is_summed(
        grid.shape, problem.atoms.count, problem.series, min_distance=min_distance
    )
    way = (
        IncrementalSeries(grid, min_distance=min_distance, softening=softening, progress=progress)
        if summed
        else search
    )
    for point in steps(problem, way):
        points.append(point)
        report(len(points))
    return Found(points[0] if points else None, tuple(points))


def whole_map(problem: Problem, box: Box, incumbent: int | None, report: Report) -> Found:
    """Compute the potentials of the box, and the same minimum as every other kind gives.

    The map only shows where to search first: its values are rounded, and the minimum is exact.
    """
    found = potential_map(
        problem.grid,
        problem.atoms,
        box,
        min_distance=problem.min_distance,
        softening=problem.softening,
        progress=_uncounted(report),
    )
    if np.isfinite(found).any():
        places = np.unravel_index(np.nanargmin(found), found.shape)
        ix, iy, iz = (int(at) + low for at, low in zip(places, box.low, strict=True))
        incumbent = problem.grid.linear(ix, iy, iz)
    return Found(_minimum(problem, box, incumbent, _uncounted(report)), map=found)


def _uncounted(report: Report) -> Progress:
    """Return the progress of a kernel that reports no points of a series."""
    return lambda _done: report(0)


def _minimum(
    problem: Problem, box: Box, incumbent: int | None, progress: Progress
) -> Minimum | None:
    return find_minimum(
        problem.grid,
        problem.atoms,
        box,
        min_distance=problem.min_distance,
        softening=problem.softening,
        incumbent=problem.incumbent if incumbent is None else incumbent,
        progress=progress,
    )


MINIMUM: Final = GridRunner(minimum, tests_as="minimum")
SERIES: Final = GridRunner(series)
MAP: Final = GridRunner(whole_map)
