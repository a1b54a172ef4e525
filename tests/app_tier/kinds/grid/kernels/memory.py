"""How much memory a process fills at most, read from the operating system.

    python -m tests.app_tier.kinds.grid.kernels.memory kernel

Prints the peak, in bytes, of this process, which finds minima among a million atoms with a kernel.
"""

from __future__ import annotations

# ruff: noqa: T201  # a command: what it prints is its result
import math
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from app_tier.kinds.grid.kernels import find_minimum
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.grid import Box, Grid
from gridwell.kinds.grid.limits import MAX_ATOMS
from tests.app_tier.kinds.grid.kernels.cases import searches

MOST: Final = 300_000_000
GRID: Final = Grid.cube(64)
PART: Final = Box((0, 0, 0), (4, 4, 4))

Case = tuple[Atoms, Box, dict[str, Any]]


def peak(process: int | str = "self") -> int:
    """The most bytes that a process has filled so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    words = next(line.split() for line in lines if line.startswith("VmHWM:"))
    return int(words[1]) * 1024


def positive() -> Case:
    """Energies of which not one can be lower than all others' sum."""
    atoms = random_atoms(MAX_ATOMS, seed=1, grid=GRID, energy_range=(0.0, 1.0))
    return atoms, GRID.box, {}


def softened() -> Case:
    """Both signs."""
    return random_atoms(MAX_ATOMS, seed=2, grid=GRID), PART, {"softening": 0.5}


def negative() -> Case:
    """Each atom has a floor, and points drop out."""
    atoms = random_atoms(MAX_ATOMS, seed=3, grid=GRID, energy_range=(-1.0, -0.5))
    zones = np.array([[2.0, 2.0, 2.0, 1.5], [30.0, 2.0, 2.0, 20.0]])
    return atoms, PART, {"min_distance": 0.01, "zones": zones}


def cancelling() -> Case:
    """Of each nine pairs of atoms at one place one cancels."""
    half = MAX_ATOMS // 2
    atoms = random_atoms(half, seed=4, grid=GRID)
    sign = np.where(np.arange(half) % 9, 1.0, -1.0)
    return atoms.followed_by(atoms.with_energies(sign * atoms.energies)), PART, {}


def main(kernel: str) -> None:
    """Find the minima, and print the peak."""
    for module in searches():
        module._SHARE = math.inf  # type: ignore[attr-defined]
    for made in (positive, softened, negative, cancelling):
        atoms, box, options = made()
        if kernel.endswith("branch_and_bound") or box is PART:  # summing it would take minutes
            find_minimum(GRID, atoms, box, kernel=kernel, **options)
        del atoms  # before the next ones are made
    print(peak())


if __name__ == "__main__":
    main(*sys.argv[1:])
