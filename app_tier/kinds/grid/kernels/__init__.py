"""Kernels: ways to find the least potential of a box.

Every kernel is a filter.  It computes potentials however it likes, with a proved bound on its
error, rules out what cannot be the least, and hands the rest to
`gridwell.kinds.grid.potential.least`. So all of them give the same answer to the last bit, and a
faster one needs no trust.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from app_tier.kinds.grid.kernels.choice import fastest
from app_tier.kinds.grid.kernels.kernel import Question
from app_tier.kinds.grid.kernels.numba_compile import COMPILES
from app_tier.kinds.grid.kernels.search.branch_and_bound import branch_and_bound_minimum
from app_tier.kinds.grid.kernels.sum.direct import direct_minimum
from app_tier.kinds.grid.kernels.sum.potential_map import potential_map
from app_tier.kinds.grid.kernels.sum.single_precision import single_minimum
from gridwell.kinds.grid.exclusion import checked
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.potential import potential

if COMPILES:
    from app_tier.kinds.grid.kernels.search.compiled_branch_and_bound import (
        jit_branch_and_bound_minimum,
    )
    from app_tier.kinds.grid.kernels.sum.compiled_direct import jit_direct_minimum

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Kernel, Progress
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Box, Grid

__all__ = ["AUTO", "KERNELS", "find_minimum", "potential_map"]

KERNELS: Final[Mapping[str, Kernel]] = {
    "direct": direct_minimum,
    "single": single_minimum,
    "branch_and_bound": branch_and_bound_minimum,
    **(
        {"jit_direct": jit_direct_minimum, "jit_branch_and_bound": jit_branch_and_bound_minimum}
        if COMPILES
        else {}
    ),
}
AUTO: Final = "auto"  #: the kernel that we expect to be fastest


class Options(TypedDict, total=False):
    """Options that change the answer, as in `gridwell.kinds.grid.potential.potential`."""

    min_distance: float
    softening: float
    zones: NDArray[np.float64] | None


def find_minimum(
    grid: Grid,
    atoms: Atoms,
    box: Box | None = None,
    *,
    kernel: str = AUTO,
    incumbent: int | None = None,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Minimum | None:
    """Return the least canonical potential of a box and the incumbent, or None if none qualifies.

    Args:
        grid: the grid.
        atoms: the atoms.
        box: the part of the grid to search; all of it without one.
        kernel: "auto", or one of `KERNELS` by name.
        incumbent: linear index of a point of the grid, in the box or not, that is likely to be
            low: it lets the kernel rule out more.  It is evaluated here, so that a wrong hint costs
            time and can never change an answer.
        progress: called several times a second with the points done so far.  What it raises ends
            the search.
        **options: the fields of `Options`.

    Raises:
        ValueError: if there is no such kernel, the box or the incumbent is not of the grid, or
            the zones are none.
    """
    if kernel != AUTO and kernel not in KERNELS:
        known = ", ".join([AUTO, *KERNELS])
        raise ValueError(f"there is no kernel {kernel!r}; choose one of {known}")
    box = grid.box if box is None else box
    zones = checked(options.get("zones"))
    _check_box(box, grid)
    best: Minimum | None = None
    if incumbent is not None:
        if not 0 <= incumbent < grid.points:
            raise ValueError(f"the incumbent {incumbent} is not one of {grid.points} grid points")
        value = potential(grid, atoms, incumbent, **options)
        best = None if value is None else Minimum(value, incumbent)
    if kernel == AUTO:
        kernel = fastest(grid, atoms, box, compiled=COMPILES)
    question = Question(
        grid=grid,
        atoms=atoms,
        min_distance=options.get("min_distance", 0.0),
        softening=options.get("softening", 0.0),
        zones=zones,
    )
    progress = _ignore if progress is None else progress
    return KERNELS[kernel](question, box, best=best, progress=progress)


def _check_box(box: Box, grid: Grid) -> None:
    for low, high, length in zip(box.low, box.high, grid.shape, strict=True):
        if not 0 <= low < high <= length:
            raise ValueError(f"the box {box.low} to {box.high} is not in a grid of {grid.shape}")


def _ignore(_points: int) -> None:
    """Do nothing with the progress."""
