"""`make bench-kernels`: how fast the kernels are, beside what one would write and what C can do.

    python -m benchmarks.kernels [--quick]

Candidates run in turns, and each figure is a median.  Summing every pair takes minutes for large
grids, so there it is timed on some rows in every round, and scaled up: its cost is the same for
each row.  Writes kernels.csv and kernels.png beside this file.
"""

# ruff: noqa: T201  a command: what it prints is its result
from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from app_tier.kinds.grid.kernels import find_minimum
from app_tier.kinds.grid.kernels.last_result_cache import forget
from app_tier.kinds.grid.kernels.numba_compile import COMPILES
from benchmarks import rivals
from benchmarks.measure import Figure, interleaved, machine
from benchmarks.report import lines, write_csv, write_plot
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.chunking import split
from gridwell.kinds.grid.grid import Box, Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gridwell.kinds.grid.minimum import Minimum


class Rounds(NamedTuple):
    """How often candidates are measured, and by which clock."""

    repeats: int
    clock: Callable[[], float]


_ROWS = 64  #: that every pair is timed on at least
MIXED, POSITIVE = (-1.0, 1.0), (0.0, 1.0)
DIRECT = "numpy, every pair (ours)"
SINGLE = "numpy, single precision first (ours)"
BRANCH = "numpy, branch and bound (ours)"
COMPILED_DIRECT = "numba, every pair (ours)"
COMPILED_BRANCH = "numba, branch and bound (ours)"
LIMIT = "C, every pair"


def main() -> None:
    """Measure, print, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round, small grids, no files")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="the processor's seconds: for a machine that is busy",
    )
    given = parser.parse_args()
    rounds = Rounds(
        1 if given.quick else 5, time.process_time if given.cpu_time else time.perf_counter
    )
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        parser.error("one core each: set OPENBLAS_NUM_THREADS=1, as `make bench-kernels` does")
    here = machine()
    if given.cpu_time:
        here += "; the processor's seconds, on a busy machine"
    print(here)
    if not COMPILES:
        print("no compiled kernels: numba is missing; pip install 'gridwell[fast]'")
    figures: list[Figure] = []
    for block in measured(rounds, quick=given.quick):
        figures += block
        print("\n".join(lines(block)), flush=True)
    if not given.quick:
        folder = Path(__file__).parent
        write_csv(folder / "kernels.csv", here, figures)
        if importlib.util.find_spec("matplotlib") is None:
            print("\nno plot: matplotlib is missing; pip install 'gridwell[bench]'")
        else:
            write_plot(folder / "kernels.png", here, figures)


def measured(rounds: Rounds, *, quick: bool) -> Iterator[list[Figure]]:
    """Yield the figures, setting by setting."""
    limit = rivals.c_limit() if shutil.which("gcc") else None
    yield every_pair(limit, rounds)
    sizes = [(32, 1000), (64, 10_000)]
    if not quick:
        sizes += [(128, 1000), (128, 10_000), (256, 10_000), (128, 100_000)]
    for n, atoms in sizes:
        for name, energies in (("positive", POSITIVE), ("mixed", MIXED)):
            yield minimum(f"{n}^3 points, {atoms} {name} atoms", n, atoms, energies, limit, rounds)
    yield from hard(limit, rounds)
    if not quick:
        yield ten_seeds(rounds)
    yield processes(rounds)


def every_pair(limit: rivals.Rival | None, rounds: Rounds) -> list[Figure]:
    """Full sums: 64 rows of 64^3 points with 4096 atoms."""
    grid = Grid.cube(64)
    atoms = random_atoms(4096, seed=1, grid=grid)
    calls: dict[str, rivals.Rival] = {"numpy, a norm a point": rivals.student}
    if importlib.util.find_spec("scipy") is not None:
        calls["scipy cdist"] = rivals.scipy_cdist
    calls[DIRECT] = rivals.direct
    if limit is not None:
        calls[LIMIT] = limit
    rows = range(64 * 32, 64 * 32 + 64)
    truth = rivals.direct(grid, atoms, rows)
    for name, call in calls.items():
        if not np.allclose(call(grid, atoms, rows), truth, rtol=1e-9):
            raise ArithmeticError(f"{name} computes other potentials than the direct kernel")
    pairs = len(rows) * 64 * atoms.count
    candidates: dict[str, tuple[Callable[[], object], float, float]] = {
        name: (partial(call, grid, atoms, rows), 1.0, pairs) for name, call in calls.items()
    }
    # A filter gives no potentials, only the least of them: the same rows, and the bounds as well.
    box = Box((32, 0, 0), (33, len(rows), 64))
    filters = {f"{DIRECT}, least": "direct", SINGLE: "single"}
    if COMPILES:
        filters[COMPILED_DIRECT] = "jit_direct"
    for name, kernel in filters.items():
        candidates[name] = (partial(find_minimum, grid, atoms, box, kernel=kernel), 1.0, pairs)
    return interleaved(
        "potentials of 64 rows, 64^3 points, 4096 mixed atoms",
        candidates,
        baseline="numpy, a norm a point",
        repeats=rounds.repeats,
        clock=rounds.clock,
    )


def minimum(
    setting: str,
    n: int,
    count: int,
    energies: tuple[float, float],
    limit: rivals.Rival | None,
    rounds: Rounds,
) -> list[Figure]:
    """Return the minimum of a cube by all means; the baseline is our own direct kernel."""
    grid = Grid.cube(n)
    atoms = random_atoms(count, seed=n + count, grid=grid, energy_range=energies)
    return _found(setting, grid, atoms, limit, rounds)


def hard(limit: rivals.Rival | None, rounds: Rounds) -> Iterator[list[Figure]]:
    """Where bounds do not help: rock salt, dense mixed signs, a tiny grid."""
    n = 24
    places = np.indices((n - 1, n - 1, n - 1)).reshape(3, -1).T
    charges = np.where(places.sum(axis=1) % 2, -1.0, 1.0)
    salt = Atoms((places + 0.5).astype(np.float64), charges)
    yield _found(f"{n}^3 points in rock salt", Grid.cube(n), salt, limit, rounds)
    for n, count in ((16, 100), (16, 4096), (32, 30_000)):
        yield minimum(f"{n}^3 points, {count} mixed atoms", n, count, MIXED, limit, rounds)


def _found(
    setting: str, grid: Grid, atoms: Atoms, limit: rivals.Rival | None, rounds: Rounds
) -> list[Figure]:
    n = grid.shape[0]
    pairs = grid.points * atoms.count
    # So many rows of one ix that a round takes about a tenth of a second, but not so few that
    # tables of squares take as long as the sums: a chunk has many.
    rows = range(min(n, max(_ROWS, round(4e7 / (n * atoms.count)))))
    share = len(rows) / n**2
    box = Box((0, 0, 0), (1, len(rows), n)) if share < 1 / n else grid.box
    candidates: dict[str, tuple[Callable[[], object], float, float]] = {
        DIRECT: (
            partial(find_minimum, grid, atoms, box, kernel="direct"),
            box.points / grid.points,
            pairs,
        ),
        SINGLE: (
            partial(find_minimum, grid, atoms, box, kernel="single"),
            box.points / grid.points,
            pairs,
        ),
        BRANCH: (partial(_from_cold, grid, atoms, "branch_and_bound"), 1.0, pairs),
        "ours, chosen by itself": (partial(_from_cold, grid, atoms, "auto"), 1.0, pairs),
    }
    if COMPILES:
        find_minimum(grid, atoms, box, kernel="jit_direct")  # loads, or compiles
        candidates[COMPILED_DIRECT] = (
            partial(find_minimum, grid, atoms, box, kernel="jit_direct"),
            box.points / grid.points,
            pairs,
        )
        compiled = partial(_from_cold, grid, atoms, "jit_branch_and_bound")
        compiled()
        candidates[COMPILED_BRANCH] = (compiled, 1.0, pairs)
    if limit is not None:
        candidates[LIMIT] = (partial(limit, grid, atoms, rows), share, pairs)
    return interleaved(setting, candidates, baseline=DIRECT, **rounds._asdict())


def _from_cold(grid: Grid, atoms: Atoms, kernel: str) -> Minimum | None:
    """The minimum of a problem that was never seen before: nothing is kept from the last round."""
    forget()
    return find_minimum(grid, atoms, kernel=kernel)


def ten_seeds(rounds: Rounds) -> list[Figure]:
    """Mixed atoms on ten seeds: the cost depends on how deep the deepest well is."""
    every: list[Figure] = []
    for seed in range(10):
        grid = Grid.cube(128)
        atoms = random_atoms(10_000, seed=seed, grid=grid)
        every += _found(
            "128^3 points, 10000 mixed atoms, 10 seeds",
            grid,
            atoms,
            None,
            rounds._replace(repeats=1),
        )
    figures: list[Figure] = []
    for name in (BRANCH, COMPILED_BRANCH) if COMPILES else (BRANCH,):
        ours = sorted((f for f in every if f.candidate == name), key=lambda f: f.ratio)
        middle = statistics.median(f.ratio for f in ours)
        print(f"\n{name}: {ours[0].ratio:.0f} to {ours[-1].ratio:.0f} times, median {middle:.0f}")
        chosen = {"slowest": ours[0], "middle": ours[len(ours) // 2], "fastest": ours[-1]}
        figures += [replace(f, candidate=f"{name}, {which}") for which, f in chosen.items()]
    return figures


def processes(rounds: Rounds) -> list[Figure]:
    """Return the same job cut into chunks, by one and by two processes."""
    grid = Grid.cube(64)
    atoms = random_atoms(2000, seed=1, grid=grid)
    pairs = grid.points * atoms.count
    context = get_context("forkserver")
    with (
        ProcessPoolExecutor(1, context, _keep, (grid, atoms)) as one,
        ProcessPoolExecutor(2, context, _keep, (grid, atoms)) as two,
    ):
        candidates: dict[str, tuple[Callable[[], object], float, float]] = {
            f"{kernel}, {name}": (partial(_chunks, pool, kernel), 1.0, pairs)
            for kernel in ("direct", "branch_and_bound")
            for name, pool in (("1 process", one), ("2 processes", two))
        }
        for call, _, _ in candidates.values():
            call()  # starts the processes
        return interleaved(
            "64^3 points, 2000 mixed atoms, 16 chunks",
            candidates,
            baseline="direct, 1 process",
            repeats=rounds.repeats,
        )


_kept: list[tuple[Grid, Atoms]] = []


def _keep(grid: Grid, atoms: Atoms) -> None:
    _kept[:] = [(grid, atoms)]


def _chunk(box: Box, kernel: str) -> Minimum | None:
    grid, atoms = _kept[0]
    return find_minimum(grid, atoms, box, kernel=kernel)


def _chunks(pool: ProcessPoolExecutor, kernel: str) -> object:
    plan = split((64, 64, 64), 16)
    boxes = [plan.box(chunk) for chunk in range(plan.chunks)]
    return list(pool.map(partial(_chunk, kernel=kernel), boxes))


if __name__ == "__main__":
    main()
