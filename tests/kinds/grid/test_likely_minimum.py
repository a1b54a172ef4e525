"""The hint is a point of the grid, and a low one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.likely_minimum import find_incumbent
from gridwell.kinds.grid.potential import potential
from gridwell.kinds.grid.problem import Problem


def test_the_point_beside_the_deepest_atom_is_the_hint() -> None:
    atoms = Atoms.from_rows([[2.2, 3.1, 4.0, -5.0], [7.0, 7.2, 7.0, -1.0], [1.0, 1.1, 1.0, 9.0]])

    assert find_incumbent(Problem(Grid.cube(10), atoms)) == Grid.cube(10).linear(2, 3, 4)


def test_with_positive_energies_the_hint_is_a_corner() -> None:
    atoms = Atoms.from_rows([[1.5, 1.5, 1.5, 1.0]])

    assert find_incumbent(Problem(Grid.cube(5), atoms)) == Grid.cube(5).linear(4, 4, 4)


def test_atoms_far_outside_a_fine_grid_have_a_nearest_point_all_the_same() -> None:
    grid = Grid((0.0, 0.0, 0.0), (1e-9, 1e-9, 1e-9), (3, 3, 3))
    atoms = Atoms.from_rows([[1e9, -1e9, 1e9, -1.0], [-1e9, 0.0, 0.0, -2.0]])

    assert find_incumbent(Problem(grid, atoms)) is not None


def test_there_is_no_hint_where_no_likely_point_qualifies() -> None:
    atoms = Atoms.from_rows([[0.0, 0.0, 0.0, -1.0]])

    assert find_incumbent(Problem(Grid.cube(1), atoms)) is None


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    count=st.integers(1, 60),
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    min_distance=st.sampled_from([0.0, 0.5]),
)
def test_a_hint_is_a_qualifying_point_of_the_grid_and_no_corner_is_lower(
    seed: int, count: int, shape: tuple[int, int, int], min_distance: float
) -> None:
    grid = Grid((-1.0, 0.0, 2.0), (0.5, 1.0, 0.25), shape)
    problem = Problem(grid, random_atoms(count, seed=seed, grid=grid), min_distance)

    hint = find_incumbent(problem)

    ends = [(0, length - 1) for length in shape]
    corners = {grid.linear(x, y, z) for x in ends[0] for y in ends[1] for z in ends[2]}
    values = [
        value
        for corner in corners
        if (value := potential(grid, problem.atoms, corner, min_distance=min_distance)) is not None
    ]
    if hint is None:
        assert not values
    else:
        value = potential(grid, problem.atoms, hint, min_distance=min_distance)
        assert value is not None
        assert value <= min(values, default=np.inf)


@pytest.mark.parametrize("count", [1, 23, 24, 25])
def test_any_number_of_atoms_has_deepest_ones(count: int) -> None:
    problem = Problem(Grid.cube(4), random_atoms(count, seed=count, grid=Grid.cube(4)))

    assert find_incumbent(problem) is not None
