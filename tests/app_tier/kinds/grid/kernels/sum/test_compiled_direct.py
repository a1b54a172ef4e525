"""The compiled kernel: its reciprocal root, its bounds, and what is compiled at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is not installed: pip install 'gridwell[fast]'")

from app_tier.kinds.grid.kernels import KERNELS, find_minimum
from app_tier.kinds.grid.kernels.numba_compile import compiled
from app_tier.kinds.grid.kernels.sum import compiled_direct, compiled_row_loops
from app_tier.kinds.grid.kernels.sum.row_sums import slabs
from tests.app_tier.kinds.grid.kernels.cases import (
    KINDS,
    asked,
    brute_force,
    brute_force_values,
    case,
    differs,
    options_of,
)
from tests.harness.builders import a_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@compiled
def guesses(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty_like(squares)
    for k in range(len(squares)):
        out[k] = compiled_row_loops.first_guess(squares[k])
    return out


@compiled
def roots(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty_like(squares)
    for k in range(len(squares)):
        out[k] = compiled_row_loops.reciprocal_root(squares[k])
    return out


def relative_error(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], squares: NDArray[np.float64]
) -> float:
    return float(np.abs(function(squares) * np.sqrt(squares) - 1).max())


def test_the_first_guess_is_as_near_as_the_proof_says() -> None:
    squares = np.arange(1.0, 4.0, 1e-6)

    # Between samples v0 sqrt(u) changes by less than a step: its slope is below 1.
    assert relative_error(guesses, squares) + 1e-6 < 0.0344


def test_four_times_the_square_is_exactly_half_the_guess() -> None:
    squares = np.random.default_rng(1).uniform(1.0, 4.0, 1000)
    for power in (-930, -2, 2, 98):  # even ones, as far as squares of distances go
        scaled = guesses(np.ldexp(squares, power))

        assert (scaled == np.ldexp(guesses(squares), -power // 2)).all()


def test_reciprocal_roots_are_within_their_error_over_the_whole_range() -> None:
    squares = 10.0 ** np.random.default_rng(2).uniform(-280.0, 29.0, 200_000)

    error = relative_error(roots, np.concatenate([squares, np.arange(1.0, 4.0, 1e-5)]))

    assert (
        1e-13 < error < compiled_row_loops.ERROR - 1e-15
    )  # an error of 0 would be numpy's own root


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_compiled_bounds_hold_the_canonical_values_of_the_points_that_qualify(kind: int) -> None:
    for number in range(kind, 10 * len(KINDS), len(KINDS)):
        problem = case(number).problem
        true = brute_force_values(problem).ravel()
        sums = compiled_direct.Sums(asked(problem))
        for slab in slabs(problem.grid.box):
            *_, share = sums.over(slab)
            indices, lower, upper = sums.bounds()
            every = slab.indices(problem.grid)
            assert share == 1.0
            assert (indices == every[np.isfinite(true[every])]).all()
            assert (lower <= true[indices]).all()
            assert (true[indices] <= upper).all()


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_the_minimum_is_that_of_brute_force(kind: int) -> None:
    for number in range(kind, 20 * len(KINDS), len(KINDS)):
        of = case(number)
        grid, atoms = of.problem.grid, of.problem.atoms

        found = find_minimum(grid, atoms, kernel="jit_direct", **options_of(of))

        assert not differs(found, brute_force(of)), number


def test_bounds_are_tight_enough_that_few_points_are_summed_again() -> None:
    problem = a_problem(16, atoms=500)
    sums = compiled_direct.Sums(asked(problem))
    lowers, uppers = [], []
    for slab in slabs(problem.grid.box):
        list(sums.over(slab))
        _, lower, upper = sums.bounds()
        lowers.append(lower)
        uppers.append(upper)

    lower, upper = np.concatenate(lowers), np.concatenate(uppers)
    assert (lower <= upper.min()).sum() == 1


def test_without_a_place_to_keep_machine_code_it_is_compiled_all_the_same() -> None:
    # A function that no file holds is one that numba finds no place for.
    found: dict[str, Callable[[float], float]] = {}
    exec("def half(x):\n    return x / 2.0", found)  # noqa: S102  # as the comment says

    assert compiled(found["half"])(3.0) == 1.5


def test_with_numba_its_kernels_are_offered() -> None:
    assert list(KERNELS)[3:] == ["jit_direct", "jit_branch_and_bound"]
