"""No candidate is told exactly when every point lies on or too near to an atom."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.feasibility import has_no_candidate
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.potential import potential
from gridwell.kinds.grid.problem import Problem


def covering(grid: Grid, *, but: int = 0) -> Atoms:
    points = [grid.point(index) for index in range(grid.points - but)]
    return Atoms.from_rows([[*point, 1.0] for point in points])


def test_a_grid_with_an_atom_on_every_point_has_no_candidate() -> None:
    grid = Grid((-1.0, 0.5, 3.0), (0.1, 0.2, 0.3), (3, 4, 5))

    assert has_no_candidate(Problem(grid, covering(grid)))


def test_one_free_point_is_a_candidate() -> None:
    grid = Grid.cube(4)

    assert not has_no_candidate(Problem(grid, covering(grid, but=1)))


def test_softening_lets_points_on_atoms_qualify() -> None:
    grid = Grid.cube(2)

    assert not has_no_candidate(Problem(grid, covering(grid), softening=0.1))


def test_an_atom_whose_distance_squared_underflows_covers_its_point() -> None:
    atoms = Atoms.from_rows([[1e-170, -1e-170, 1e-200, 1.0]])

    assert has_no_candidate(Problem(Grid.cube(1), atoms))


def test_indices_that_round_to_one_coordinate_are_covered_by_one_atom() -> None:
    grid = Grid((1e9, 1e9, 1e9), (1e-9, 1e-9, 1e-9), (5, 5, 5))

    assert has_no_candidate(Problem(grid, Atoms.from_rows([[1e9, 1e9, 1e9, 1.0]])))


def test_a_min_distance_around_the_whole_grid_leaves_no_candidate() -> None:
    grid = Grid.cube(5)
    atoms = Atoms.from_rows([[2.0, 2.0, 2.0, 1.0]])

    assert has_no_candidate(Problem(grid, atoms, min_distance=4.0, softening=1.0))
    assert not has_no_candidate(Problem(grid, atoms, min_distance=3.4, softening=1.0))


def test_a_large_problem_with_a_min_distance_is_left_to_the_workers() -> None:
    grid = Grid.cube(220)
    atoms = Atoms.from_rows([[100.0, 100.0, 100.0, 1.0]])
    assert grid.points > limits.CHECKED_PAIRS

    assert not has_no_candidate(Problem(grid, atoms, min_distance=1e9))


def test_the_largest_checked_problem_is_judged() -> None:
    grid = Grid.cube(100)
    atoms = random_atoms(10, seed=1, grid=grid)
    assert grid.points * atoms.count == limits.CHECKED_PAIRS

    assert has_no_candidate(Problem(grid, atoms, min_distance=1e3))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shape=st.tuples(*[st.integers(1, 3)] * 3))
def test_no_candidate_means_that_every_potential_is_missing(
    data: st.DataObject, shape: tuple[int, int, int]
) -> None:
    grid = Grid((0.1, -0.2, 0.3), (0.1, 0.1, 0.1), shape)
    points = [grid.point(index) for index in range(grid.points)]
    near = [np.add(point, (0.03, 0.0, 0.0)).tolist() for point in points]
    chosen = data.draw(st.lists(st.sampled_from(points + near), min_size=1, max_size=40))
    extra = data.draw(st.sampled_from([[], points, points[1:]]))
    atoms = Atoms.from_rows([[*place, 1.0] for place in itertools.chain(chosen, extra)])
    options: dict[str, Any] = {
        "min_distance": data.draw(st.sampled_from([0.0, 0.05, 0.2])),
        "softening": data.draw(st.sampled_from([0.0, 0.01])),
    }

    none = all(potential(grid, atoms, k, **options) is None for k in range(grid.points))

    assert has_no_candidate(Problem(grid, atoms, **options)) is none
