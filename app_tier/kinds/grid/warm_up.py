"""Compiled kernels are made by a process of their own, where they are not on disk yet.

Compiling takes ten seconds or more, and 200 MB that a process does not give back. A process that
computes a chunk of a million atoms afterwards would fill more than 300 MB.  Loading them takes
neither.
"""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Final

from app_tier.kinds.grid.kernels import find_minimum, numba_compile
from gridwell.kinds.grid.atoms import random_atoms
from gridwell.kinds.grid.grid import Grid

if TYPE_CHECKING:
    from app_tier.kinds.grid.kernels.kernel import Progress

_KERNELS: Final = ("jit_direct", "jit_branch_and_bound")
_SECONDS: Final = 0.2  #: between two signs of life


def have_compiled(progress: Progress) -> None:
    """Wait until the compiled kernels are on disk, where there are any and they can be kept.

    Args:
        progress: called meanwhile.  What it raises ends the waiting, and not the compiling.
    """
    folder = numba_compile.cache_folder()
    if folder is None:
        return
    mark = folder / "complete"
    if mark.exists():
        return
    process = multiprocessing.get_context("spawn").Process(target=compile_all)
    process.start()
    while process.is_alive():
        process.join(_SECONDS)
        progress(0)
    # One that failed leaves it to the process that computes, whose error then tells of it.
    if process.exitcode == 0:
        mark.touch()


def compile_all() -> None:
    """Call each compiled kernel once."""
    grid = Grid.cube(32)
    atoms = random_atoms(1000, seed=1, grid=grid)
    for kernel in _KERNELS:
        find_minimum(grid, atoms, kernel=kernel)
