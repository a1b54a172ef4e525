"""One run of the kernels beside torch, jax, pykeops and fmm3dpy.

Its figures are recorded in docs/explanation/performance.md.

    python -m venv /tmp/peers
    /tmp/peers/bin/pip install torch jax pykeops fmm3dpy
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 PYTHONPATH=. \
        taskset -c 0 /tmp/peers/bin/python -m benchmarks.peers

These libraries take gigabytes and are no part of the project's own environment, so they are looked
for by name; those that are not there are left out, and said to be.  pykeops needs g++.
Prints tables in Markdown.
"""

# ruff: noqa: T201  a command: what it prints is its result
from __future__ import annotations

import importlib.util
import math
import os
import shutil
import sys
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.kinds.grid.kernels import find_minimum
from benchmarks import rivals
from benchmarks.libraries import LIBRARIES, every_pair_by, fast_multipole, points_of
from benchmarks.measure import Figure, interleaved, machine
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.grid import Box, Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
OURS: Final = "numpy, every pair (ours)"
SIFTED: Final = "numpy, float32 first (ours)"
CHOSEN: Final = "numpy, chosen by itself (ours)"
LIMIT: Final = "C, every pair"

_N, _ATOMS, _REPEATS = 64, 4096, 5
_GROSS = 1e-4  #: a larger error than float32's is another formula


def main() -> None:
    """Measure and print."""
    if any(os.environ.get(name) != "1" for name in THREADS) or len(os.sched_getaffinity(0)) != 1:
        print(f"one core each: set {', '.join(THREADS)} to 1 and use taskset", file=sys.stderr)
        raise SystemExit(2)
    there = [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    versions = [f"{name} {metadata.version(name)}" for name in there]
    versions += [f"no {name}" for name in LIBRARIES if name not in there]
    print(f"{machine()}; {', '.join(versions)}\n")
    grid = Grid.cube(_N)
    atoms = random_atoms(_ATOMS, seed=1, grid=grid)
    print("\n".join(potentials(grid, atoms, there)), flush=True)
    print("\n".join(minima(grid, atoms, there)))


def potentials(grid: Grid, atoms: Atoms, there: list[str]) -> Iterator[str]:
    """Yield the table of all that compute every pair: 64 rows, which is one plane of the cube."""
    rows = range(_N * _N // 2, _N * _N // 2 + _N)
    calls = {"numpy, a norm a point": rivals.student, OURS: rivals.direct, **every_pair_by(there)}
    if shutil.which("gcc") is not None:
        calls[LIMIT] = rivals.c_limit()
    truth = _truth(grid, atoms, rows)
    # This is also their first call, in which some of them compile.
    errors = {
        name: float(np.abs(call(grid, atoms, rows) - truth).max() / np.abs(truth).max())
        for name, call in calls.items()
    }
    for name, error in errors.items():
        if not error < _GROSS:
            raise ArithmeticError(f"{name} computes other potentials: they differ by {error:.0e}")
    figures = interleaved(
        "potentials",
        {
            name: (partial(call, grid, atoms, rows), 1.0, float(truth.size * atoms.count))
            for name, call in calls.items()
        },
        baseline=OURS,
        repeats=_REPEATS,
    )
    limit = _seconds(figures).get(LIMIT, math.nan)
    yield "| | Gpairs/s | times ours | of C | largest error | spread |"
    yield "|---|---:|---:|---:|---:|---:|"
    for figure in figures:
        yield (
            f"| {figure.candidate} | {figure.rate / 1e9:.3f} | {figure.ratio:.2f} "
            f"| {limit / figure.seconds:.3f} | {errors[figure.candidate]:.0e} "
            f"| {figure.spread:.2f} |"
        )


def minima(grid: Grid, atoms: Atoms, there: list[str]) -> Iterator[str]:
    """Yield the table of ways to the minimum of the whole cube."""
    pairs = float(grid.points * atoms.count)
    plane = Box((0, 0, 0), (1, _N, _N))
    candidates: dict[str, tuple[Callable[[], object], float, float]] = {
        OURS: (partial(find_minimum, grid, atoms, plane, kernel="direct"), 1 / _N, pairs),
        SIFTED: (partial(find_minimum, grid, atoms, plane, kernel="single"), 1 / _N, pairs),
        CHOSEN: (partial(_cold, grid, atoms), 1.0, pairs),
    }
    if shutil.which("gcc") is not None:
        candidates[LIMIT] = (partial(rivals.c_limit(), grid, atoms, range(_N)), 1 / _N, pairs)
    if "fmm3dpy" in there:
        for eps in (1e-3, 1e-6):
            name = f"fmm3dpy lfmm3d, eps {eps:g}"
            candidates[name] = (partial(fast_multipole, grid, atoms, eps), 1.0, pairs)
    figures = interleaved("minimum", candidates, baseline=OURS, repeats=_REPEATS)
    least = find_minimum(grid, atoms, kernel="direct")
    yield "\n| | seconds | times ours | finds the point | spread |"
    yield "|---|---:|---:|---|---:|"
    for figure in figures:
        call, share, _ = candidates[figure.candidate]
        found = "part of it timed"
        if share == 1.0:
            found = "yes" if call() in (least, least and least.index) else "no"
        yield (
            f"| {figure.candidate} | {figure.seconds:.4f} | {figure.ratio:.1f} "
            f"| {found} | {figure.spread:.2f} |"
        )


def _seconds(figures: list[Figure]) -> dict[str, float]:
    return {figure.candidate: figure.seconds for figure in figures}


def _truth(grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.longdouble]:
    """Return the potentials in long double: 64 bits of mantissa where the processor has them."""
    wide = atoms.rows().astype(np.longdouble)
    planes = []
    for row in rows:
        points = points_of(grid, range(row, row + 1)).astype(np.longdouble)
        d = points[:, None, :] - wide[None, :, :3]
        planes.append((wide[:, 3] / np.sqrt((d * d).sum(axis=-1))).sum(axis=1))
    return np.stack(planes)


def _cold(grid: Grid, atoms: Atoms) -> object:
    """Our minimum of atoms that were never seen: what was kept of them belongs to the object."""
    return find_minimum(grid, Atoms(atoms.positions, atoms.energies))


if __name__ == "__main__":
    main()
