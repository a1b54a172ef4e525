"""Other ways to compute potentials, for comparison: each takes some rows of a unit cube's points.

A row holds the points of one ix and iy.  All return the potentials as an array of (rows, n).
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app_tier.kinds.grid.kernels import potential_map
from gridwell.kinds.grid.grid import Box, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms

Rival = Callable[[Grid, "Atoms", range], "NDArray[np.float64]"]


def student(grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
    """Return what one writes first: for each point, the norm of all differences."""
    n = grid.shape[0]
    out = np.empty((len(rows), n))
    for i, row in enumerate(rows):
        for z in range(n):
            point = np.array([row // n, row % n, z], dtype=np.float64)
            distance = np.sqrt(((atoms.positions - point) ** 2).sum(axis=1))
            out[i, z] = (atoms.energies / distance).sum()
    return out


def scipy_cdist(grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
    """All distances of a row from `scipy.spatial.distance.cdist`."""
    from scipy.spatial.distance import cdist  # noqa: PLC0415  an extra; the rest runs without

    n = grid.shape[0]
    out = np.empty((len(rows), n))
    for i, row in enumerate(rows):
        points = np.column_stack([np.full(n, row // n), np.full(n, row % n), np.arange(n)])
        distance = cdist(points.astype(np.float64), atoms.positions)
        out[i] = np.reciprocal(distance, out=distance) @ atoms.energies
    return out


def direct(grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
    """Return this project's own sums over all pairs; rows must lie in one ix."""
    n = grid.shape[0]
    x, y = divmod(rows.start, n)
    found = potential_map(grid, atoms, Box((x, y, 0), (x + 1, y + len(rows), n)))
    return found.reshape(len(rows), n)


def c_limit() -> Rival:
    """Return the C kernel, built for this machine on the spot.

    Raises:
        FileNotFoundError: if there is no gcc.
        subprocess.CalledProcessError: if it cannot build the kernel.
    """
    source = Path(__file__).with_name("limit.c")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "limit.so"
        command = ["gcc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run([*command, str(source), "-o", str(built), "-lm"], check=True)
        library = ctypes.CDLL(str(built))

    def run(grid: Grid, atoms: Atoms, rows: range) -> NDArray[np.float64]:
        n = grid.shape[0]
        out = np.empty((len(rows), n))
        columns = [np.ascontiguousarray(column) for column in atoms.rows().T]
        pointers = [column.ctypes.data_as(ctypes.c_void_p) for column in (*columns, out)]
        ends = [ctypes.c_long(value) for value in (rows.start, rows.stop)]
        sizes = [ctypes.c_long(value) for value in (n, atoms.count)]
        if library.rows(*sizes, *pointers[:4], *ends, pointers[4]) != 0:
            raise MemoryError("the C kernel found no memory for one value per atom")
        return out

    return run
