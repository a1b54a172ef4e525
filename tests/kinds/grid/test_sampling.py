"""Points at which a report is checked: a lesser one among them is always seen, a true one never
refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.potential import least, potential
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.sampling import (
    DEFAULT_POINTS,
    WHOLE_PAIRS,
    lower_point,
    neighbours,
    sampled_points,
)
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.series_points import find_flaw
from tests.kinds.grid.strategies import problems


def large(n: int = 40, atoms: int = 300, **options: object) -> Problem:
    grid = Grid.cube(n)
    return Problem(grid, random_atoms(atoms, seed=1, grid=grid), **options)  # type: ignore[arg-type]


@given(problems, st.data())
@settings(max_examples=60)
def test_a_lesser_candidate_is_found_exactly_where_there_is_one(
    problem: Problem, data: st.DataObject
) -> None:
    options: Any = {"min_distance": problem.min_distance, "softening": problem.softening}
    every = np.arange(problem.grid.points)
    best = least(problem.grid, problem.atoms, every, **options)
    index = data.draw(st.integers(0, problem.grid.points - 1))
    value = potential(problem.grid, problem.atoms, index, **options)
    reported = None if value is None else Minimum(value, index)

    found = lower_point(problem.grid, problem.atoms, every, reported, **options)

    if best is None or (reported is not None and best == reported):
        assert found is None
    else:
        assert found is not None
        assert reported is None or found < reported


@given(st.integers(0, 2**64))
def test_a_small_grid_is_looked_at_whole(seed: int) -> None:
    problem = large(8)
    assert problem.pairs > WHOLE_PAIRS

    whole = sampled_points(large(8, atoms=100), seed=seed)

    assert np.array_equal(whole, np.arange(512))
    assert len(sampled_points(problem, seed=seed)) == 64


def test_other_seeds_draw_other_points_and_equal_ones_the_same() -> None:
    problem = large()

    one, again, other = (sampled_points(problem, seed=seed) for seed in (5, 5, 6))

    assert np.array_equal(one, again)
    assert len(one) == DEFAULT_POINTS
    assert len(set(one.tolist()) & set(other.tolist())) < 60
    assert one.min() >= 0
    assert one.max() < problem.grid.points


def test_the_incumbent_is_always_among_them() -> None:
    assert 4711 in sampled_points(replace_incumbent(large(), 4711), seed=1)


def replace_incumbent(problem: Problem, index: int) -> Problem:
    return Problem(
        problem.grid,
        problem.atoms,
        problem.min_distance,
        problem.softening,
        index,
        problem.series,
    )


@pytest.mark.parametrize(
    ("atoms", "count"), [(300, 1000), (10_000, 209), (100_000, 20), (400_000, 8)]
)
def test_more_atoms_are_checked_at_fewer_points(atoms: int, count: int) -> None:
    problem = large(100, atoms=atoms)

    assert len(sampled_points(problem, seed=1)) == count
    assert len(sampled_points(problem, seed=1, most=5)) == 5


def test_a_series_shares_its_points_among_its_steps() -> None:
    one = sampled_points(large(100, atoms=10_000), seed=1)
    many = sampled_points(large(100, atoms=10_000, series=Series(20)), seed=1)

    assert (len(one), len(many)) == (209, 10)


def test_neighbours_are_of_the_grid_and_those_that_share_a_face_come_first() -> None:
    grid = Grid.cube(3)

    assert len(neighbours(grid, grid.linear(1, 1, 1), most=99)) == 26
    assert set(neighbours(grid, grid.linear(0, 0, 0), most=3).tolist()) == {1, 3, 9}
    assert len(neighbours(grid, 0, most=99)) == 7
    assert len(neighbours(Grid.cube(1), 0, most=99)) == 0


def test_a_point_beside_a_lesser_one_is_refused_whatever_is_sampled() -> None:
    problem = large(20)
    best = least(problem.grid, problem.atoms, np.arange(problem.grid.points))
    assert best is not None
    beside = int(neighbours(problem.grid, best.index, most=1)[0])
    value = potential(problem.grid, problem.atoms, beside)
    assert value is not None

    flaw = find_flaw(problem, (Minimum(value, beside),), np.zeros(8, dtype=np.int64))

    assert flaw is not None
    assert flaw.index == best.index


def test_points_of_equal_value_refuse_only_the_higher_index() -> None:
    # A pair of opposite atoms at one place: every point's potential is exactly zero.
    grid = Grid.cube(12)
    atoms = Atoms.from_rows([(5.5, 5.5, 5.5, 1.0), (5.5, 5.5, 5.5, -1.0)])
    every = np.arange(grid.points)

    assert lower_point(grid, atoms, every, Minimum(0.0, 0)) is None
    assert lower_point(grid, atoms, every, Minimum(0.0, 7)) is not None


def test_huge_terms_that_cancel_neither_hide_a_lesser_point_nor_invent_one() -> None:
    grid = Grid.cube(6)
    atoms = Atoms.from_rows([(2.5, 2.5, 2.5, 1e30), (2.5, 2.5, 2.5, -1e30), (0.5, 0.5, 0.5, -1e-9)])
    every = np.arange(grid.points)
    best = least(grid, atoms, every)
    assert best is not None

    assert lower_point(grid, atoms, every, best) is None
    worst = max(Minimum(potential(grid, atoms, int(i)) or 0.0, int(i)) for i in every)
    assert lower_point(grid, atoms, every, worst) is not None
    assert replace(best, index=best.index) == best
