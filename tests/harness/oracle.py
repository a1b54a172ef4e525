"""The formula once more, written without numpy and without looking at the product's code."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from gridwell.kinds.grid.minimum import Minimum

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gridwell.kinds.grid.grid import Box, Grid
    from gridwell.kinds.grid.problem import Problem


def true_value(problem: Problem, triple: tuple[int, int, int]) -> float | None:
    """The canonical potential of one point; None if it does not qualify."""
    grid = problem.grid
    px, py, pz = (grid.origin[k] + grid.spacing[k] * triple[k] for k in range(3))
    return _value(problem, problem.atoms.rows().tolist(), (px, py, pz))


def _value(
    problem: Problem, rows: Iterable[Sequence[float]], place: tuple[float, float, float]
) -> float | None:
    px, py, pz = place
    terms = []
    for ax, ay, az, energy in rows:
        dx, dy, dz = px - ax, py - ay, pz - az
        r2 = dx * dx + dy * dy + dz * dz
        if r2 < problem.min_distance * problem.min_distance:
            return None
        distance = max(math.sqrt(r2), problem.softening)
        if distance == 0:
            return None
        terms.append(energy / distance)
    return math.fsum(terms) + 0.0


def true_minimum(problem: Problem, box: Box | None = None) -> Minimum | None:
    """The least value of a box's points (the whole grid's without one), by trying each."""
    box = problem.grid.box if box is None else box
    best: tuple[float, int] | None = None
    for triple in itertools.product(*map(range, box.low, box.high)):
        value = true_value(problem, (triple[0], triple[1], triple[2]))
        if value is not None:
            found = (value, linear_index(problem.grid, triple))
            best = found if best is None else min(best, found)
    return None if best is None else Minimum(*best)


def true_series(problem: Problem) -> tuple[Minimum, ...]:
    """The points of a series, by trying each point of the grid for each of them."""
    series = problem.series
    assert series is not None
    rows = [(x, y, z, -e if series.ion < 0 else e) for x, y, z, e in problem.atoms.rows().tolist()]
    found: list[tuple[float, int]] = []
    places: list[tuple[float, float, float]] = []
    while len(found) < series.count:
        best: tuple[float, int] | None = None
        for index in range(problem.grid.points):
            place = problem.grid.point(index)
            if not any(_within(place, other, series.min_separation) for other in places):
                value = _value(problem, rows, place)
                if value is not None and (best is None or value < best[0]):
                    best = (value, index)
        if best is None:
            break
        found.append(best)
        places.append(problem.grid.point(best[1]))
        if series.ion:
            rows.append((*places[-1], 1.0))
    return tuple(Minimum(*each) for each in found)


def _within(a: Sequence[float], b: Sequence[float], radius: float) -> bool:
    dx, dy, dz = (a[k] - b[k] for k in range(3))
    r2 = dx * dx + dy * dy + dz * dz
    return r2 < radius * radius or r2 == 0


def true_map(problem: Problem, box: Box) -> list[list[list[float]]]:
    """The value of each of a box's points, not a number where one does not qualify."""

    def value(ix: int, iy: int, iz: int) -> float:
        found = true_value(problem, (ix, iy, iz))
        return math.nan if found is None else found

    x, y, z = (range(low, high) for low, high in zip(box.low, box.high, strict=True))
    return [[[value(ix, iy, iz) for iz in z] for iy in y] for ix in x]


def linear_index(grid: Grid, triple: tuple[int, ...]) -> int:
    """A point's number in C order."""
    _, ny, nz = grid.shape
    return triple[0] * ny * nz + triple[1] * nz + triple[2]
