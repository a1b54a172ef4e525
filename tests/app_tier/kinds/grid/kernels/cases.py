"""Random and adversarial problems for kernels, and brute force that is fast enough for thousands.

The oracle here is `tests.harness.oracle` with numpy for the terms: numpy's elementwise operations
round as Python's do, and each point's terms are still summed by `math.fsum`.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app_tier.kinds.grid.kernels import KERNELS
from app_tier.kinds.grid.kernels.kernel import Question
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.exclusion import NO_ZONES
from gridwell.kinds.grid.grid import Box, Grid
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray

KINDS: Final = (
    "mixed",
    "positive",
    "negative",
    "on points",
    "half points",
    "clustered",
    "rock salt",
    "cancelling",
    "nearly cancelling",
    "extreme energies",
    "far away",
    "beside points",
)
OPTIONS: Final[tuple[dict[str, float], ...]] = (
    {},
    {},
    {"min_distance": 0.8},
    {"min_distance": 2.0},
    {"softening": 0.5},
    {"softening": 3.0},
    {"min_distance": 1.0, "softening": 1.5},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A problem, a box of its grid and perhaps an incumbent."""

    problem: Problem
    box: Box
    incumbent: int | None
    zones: NDArray[np.float64]


def case(number: int) -> Case:
    """The case of a number: its kind goes round, the rest is drawn."""
    draw = random.Random(f"case {number}")
    kind = KINDS[number % len(KINDS)]
    grid = _grid(draw, kind)
    rows = [_row(draw, kind, grid) for _ in range(round(10 ** draw.uniform(0, 2.6)))]
    if "cancelling" in kind:
        scale = 1.0 if kind == "cancelling" else 1.0 + 1e-13
        rows += [(x, y, z, -e * scale) for x, y, z, e in rows[draw.randint(0, 1) :]]
    if kind == "rock salt":
        rows = _rock_salt(grid)
    unit = min(grid.spacing)
    options: dict[str, Any] = {name: value * unit for name, value in draw.choice(OPTIONS).items()}
    problem = Problem(grid, Atoms.from_rows(rows), **options)
    box = grid.box
    if draw.random() < 0.5:
        ends = [sorted((draw.randrange(n), draw.randrange(1, n + 1))) for n in grid.shape]
        (x0, x1), (y0, y1), (z0, z1) = ((a, max(b, a + 1)) for a, b in ends)
        box = Box((x0, y0, z0), (x1, y1, z1))
    incumbent = draw.randrange(grid.points) if draw.random() < 0.3 else None
    return Case(problem=problem, box=box, incumbent=incumbent, zones=_zones(draw, grid))


def _zones(draw: random.Random, grid: Grid) -> NDArray[np.float64]:
    """Mostly around points of the grid, where r2 and the radius's square are often equal."""
    if draw.random() < 0.6:
        return NO_ZONES
    rows = []
    for _ in range(draw.choice([1, 2, 5, 30])):
        centre = list(grid.point(draw.randrange(grid.points)))
        if draw.random() < 0.3:
            centre = [
                x + draw.uniform(-2, 2) * s for x, s in zip(centre, grid.spacing, strict=True)
            ]
        radius = draw.choice([0.0, 1.0, 2.0, 3.0, draw.uniform(0, 5), 1e-200, 50.0])
        rows.append([*centre, radius * draw.choice(grid.spacing)])
    return np.array(rows)


def _grid(draw: random.Random, kind: str) -> Grid:
    shape = [draw.randint(1, 14) for _ in range(3)]
    if draw.random() < 0.2:
        shape = draw.choice([[1, 1, 400], [1, 20, 20], [60, 2, 3], [2, 90, 2]])
    if kind == "rock salt":
        return Grid.cube(draw.randint(3, 7))
    if draw.random() < 0.4:
        return Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (shape[0], shape[1], shape[2]))
    scale = draw.choice([1.0, 1.0, 1e-3, 1e4, 1e-9])
    x, y, z = (draw.choice([0.0, -2.5, draw.uniform(-50, 50)]) * scale for _ in range(3))
    if scale == 1e-9:
        x += 1.0  # coordinates of neighbouring points are only a few roundings apart
    a, b, c = (draw.choice([1.0, 0.5, draw.uniform(0.2, 3.0)]) for _ in range(3))
    spacing = (max(a * scale, 1e-9), max(b * scale, 1e-9), max(c * scale, 1e-9))
    return Grid((x, y, z), spacing, (shape[0], shape[1], shape[2]))


def _row(draw: random.Random, kind: str, grid: Grid) -> tuple[float, float, float, float]:
    place = [
        o + s * (n * draw.uniform(-0.2, 1.1))
        for o, s, n in zip(grid.origin, grid.spacing, grid.shape, strict=True)
    ]
    energy = draw.uniform(-1, 1)
    if kind == "positive":
        energy = abs(energy) + 0.01
    elif kind == "negative":
        energy = -abs(energy) - 0.01
    elif kind in {"on points", "beside points"}:
        place = list(grid.point(draw.randrange(grid.points)))
        energy = draw.choice([-1.0, 0.0, 1.0, 0.25])
        if kind == "beside points":
            offset = draw.choice([1e-3, 1e-8, 1e-13]) * min(grid.spacing)
            place = [x + draw.choice([-offset, 0.0, offset]) for x in place]
    elif kind == "half points":
        place = [
            o + s * draw.randrange(2 * n) / 2
            for o, s, n in zip(grid.origin, grid.spacing, grid.shape, strict=True)
        ]
        energy = draw.choice([-1.0, 1.0])
    elif kind == "clustered":
        place = [
            o + 1e-3 * s * draw.random() for o, s in zip(grid.origin, grid.spacing, strict=True)
        ]
    elif kind == "extreme energies":
        energy = draw.choice([-1, 1]) * 10 ** draw.uniform(-30, 30)
    elif kind == "far away":
        place = [draw.choice([draw.uniform(-1e9, 1e9), x]) for x in place]
    if abs(energy) < limits.MIN_ENERGY:
        energy = 0.0
    x, y, z = place
    return x, y, z, energy


def _rock_salt(grid: Grid) -> list[tuple[float, float, float, float]]:
    n = grid.shape[0]
    return [
        (i + 0.5, j + 0.5, k + 0.5, (-1.0) ** (i + j + k))
        for i in range(n - 1)
        for j in range(n - 1)
        for k in range(n - 1)
    ]


def salt(n: int, jitter: float = 0.0) -> Problem:
    """Rock salt in a cube of n points a side: every point has nearly the same potential."""
    centres = np.stack(np.meshgrid(*[np.arange(n - 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    charges = np.where(centres.sum(axis=1) % 2, -1.0, 1.0)
    moved = np.random.default_rng(1).standard_normal(centres.shape) * jitter
    return Problem(Grid.cube(n), Atoms(centres + 0.5 + moved, charges))


def searches() -> list[ModuleType]:
    """The modules of the kernels that search, each with its budget, `_SHARE`."""
    names = [name for name in KERNELS if name.endswith("branch_and_bound")]
    return [import_module(KERNELS[name].__module__) for name in names]


def brute_force(of: Case) -> Minimum | None:
    """The least of the box and the incumbent, by trying each point."""
    problem = of.problem
    indices = _indices(problem.grid, of.box)
    if of.incumbent is not None:
        indices = np.append(indices, of.incumbent)
    best: tuple[float, int] | None = None
    rows = max(1, (1 << 20) // problem.atoms.count)
    for start in range(0, len(indices), rows):
        for found in _values(problem, indices[start : start + rows], of.zones):
            best = found if best is None else min(best, found)
    return None if best is None else Minimum(*best)


def _indices(grid: Grid, box: Box) -> NDArray[np.int64]:
    axes = [np.arange(low, high) for low, high in zip(box.low, box.high, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    flat: NDArray[np.int64] = ((x * grid.shape[1] + y) * grid.shape[2] + z).ravel()
    return flat


def _values(
    problem: Problem, indices: NDArray[np.int64], zones: NDArray[np.float64] = NO_ZONES
) -> list[tuple[float, int]]:
    grid, atoms = problem.grid, problem.atoms
    d = [
        (grid.origin[k] + grid.spacing[k] * steps)[:, None] - atoms.positions[:, k]
        for k, steps in enumerate(np.unravel_index(indices, grid.shape))
    ]
    r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    distance = np.maximum(np.sqrt(r2), problem.softening)
    good = ~(r2 < problem.min_distance * problem.min_distance).any(axis=1)
    good &= (distance > 0).all(axis=1)
    if len(zones):
        places = map(grid.point, indices.tolist())
        free = [not any(_in_zone(p, zone) for zone in zones.tolist()) for p in places]
        good = np.logical_and(good, free)
    terms = atoms.energies / distance[good]
    return [
        (math.fsum(row) + 0.0, int(index))
        for row, index in zip(terms.tolist(), indices[good], strict=True)
    ]


def _in_zone(place: Sequence[float], zone: Sequence[float]) -> bool:
    dx, dy, dz = (place[k] - zone[k] for k in range(3))
    r2 = dx * dx + dy * dy + dz * dz
    return r2 < zone[3] * zone[3] or r2 == 0


def brute_force_values(problem: Problem) -> NDArray[np.float64]:
    """The canonical potential of all points, infinity where one does not qualify."""
    indices = np.arange(problem.grid.points)
    values = np.full(problem.grid.points, np.inf)
    for value, index in _values(problem, indices):
        values[index] = value
    return values.reshape(problem.grid.shape)


def asked(problem: Problem) -> Question:
    """What is asked of each box of a problem's grid."""
    return Question(
        grid=problem.grid,
        atoms=problem.atoms,
        min_distance=problem.min_distance,
        softening=problem.softening,
    )


def differs(found: Minimum | None, true: Minimum | None) -> bool:
    """Whether two minima differ in the value's bits or the index."""
    return (found and found.key()) != (true and true.key())


def options_of(of: Case) -> dict[str, Any]:
    """The arguments of `find_minimum` besides grid and atoms."""
    return {
        "box": of.box,
        "min_distance": of.problem.min_distance,
        "softening": of.problem.softening,
        "incumbent": of.incumbent,
        "zones": of.zones,
    }
