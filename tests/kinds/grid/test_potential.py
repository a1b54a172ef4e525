"""The canonical value is what the formula says, to the last bit, and `least` finds the least."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.chunking import split
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.minimum import Minimum, lesser
from gridwell.kinds.grid.potential import least, potential
from gridwell.kinds.grid.problem import Problem
from tests.harness.builders import a_problem, atoms_at
from tests.harness.oracle import linear_index, true_minimum, true_value
from tests.kinds.grid.strategies import problems

ONE_POINT = Grid.cube(1)


def value_of(problem: Problem, index: int) -> float | None:
    return potential(
        problem.grid,
        problem.atoms,
        index,
        min_distance=problem.min_distance,
        softening=problem.softening,
    )


def least_of(problem: Problem, candidates: object = None) -> Minimum | None:
    every = np.arange(problem.grid.points) if candidates is None else np.asarray(candidates)
    return least(
        problem.grid,
        problem.atoms,
        every.astype(np.int64),
        min_distance=problem.min_distance,
        softening=problem.softening,
    )


def bits(value: float | None) -> str | None:
    return None if value is None else value.hex()


# --- one point


@given(problems, st.data())
@settings(max_examples=300)
def test_a_value_is_the_oracles_to_the_last_bit(problem: Problem, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, problem.grid.points - 1))

    value = value_of(problem, index)

    assert bits(value) == bits(true_value(problem, problem.grid.triple(index)))


def test_a_thousand_atoms_sum_to_the_last_bit() -> None:
    problem = a_problem(6, atoms=1000, seed=5)

    for index in range(0, problem.grid.points, 7):
        assert bits(value_of(problem, index)) == bits(
            true_value(problem, problem.grid.triple(index))
        )


def test_eight_charges_at_the_corners_of_a_cube() -> None:
    corners = itertools.product((0.0, 2.0), repeat=3)
    atoms = Atoms.from_rows([[*corner, 1.0] for corner in corners])
    centre = Grid((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (1, 1, 1))

    value = potential(centre, atoms, 0)

    assert value == 8 / math.sqrt(3)


def test_one_charge_falls_off_with_the_distance() -> None:
    grid = Grid((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (4, 1, 1))

    values = [potential(grid, atoms_at((0.0, 0.0, 0.0, -12.0)), index) for index in range(4)]

    assert values == [-12.0, -6.0, -4.0, -3.0]


def test_rock_salt_has_madelungs_constant() -> None:
    # Evjen 1932: ions on the faces, edges and corners of a cube count by a half, a quarter, an
    # eighth.  At n = 8 that agrees with -1.747564594 to five decimals.
    n = 8
    rows = []
    for place in itertools.product(range(-n, n + 1), repeat=3):
        if any(place):
            weight = 0.5 ** sum(abs(step) == n for step in place)
            rows.append([*map(float, place), weight if sum(place) % 2 == 0 else -weight])

    value = potential(ONE_POINT, Atoms.from_rows(rows), 0)

    assert value == pytest.approx(-1.747574382, abs=5e-10)


def test_a_point_on_an_atom_does_not_qualify() -> None:
    assert potential(ONE_POINT, atoms_at((0.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 1.0)), 0) is None


def test_a_point_on_an_atom_without_energy_does_not_qualify_either() -> None:
    assert potential(ONE_POINT, atoms_at((0.0, 0.0, 0.0, 0.0)), 0) is None


def test_with_softening_a_point_on_an_atom_has_a_value() -> None:
    assert potential(ONE_POINT, atoms_at((0.0, 0.0, 0.0, 3.0)), 0, softening=0.5) == 6.0


def test_the_least_softening_keeps_the_strongest_atom_finite() -> None:
    atoms = atoms_at((0.0, 0.0, 0.0, limits.MAX_ENERGY))

    value = potential(ONE_POINT, atoms, 0, softening=limits.MIN_SOFTENING)

    assert value is not None
    assert math.isfinite(value * limits.MAX_ATOMS)


def test_softening_does_not_bring_back_what_min_distance_excludes() -> None:
    atoms = atoms_at((0.0, 0.0, 0.0, 3.0))

    assert potential(ONE_POINT, atoms, 0, softening=0.5, min_distance=0.1) is None


def test_a_point_at_just_the_min_distance_qualifies() -> None:
    atoms = atoms_at((1.5, 0.0, 0.0, 3.0))

    assert potential(ONE_POINT, atoms, 0, min_distance=1.5) == 2.0
    assert potential(ONE_POINT, atoms, 0, min_distance=math.nextafter(1.5, 2.0)) is None


def test_a_value_does_not_depend_on_the_order_of_atoms() -> None:
    problem = a_problem(3, atoms=200, seed=9)
    turned = Atoms.from_rows(problem.atoms.rows()[::-1])

    for index in range(problem.grid.points):
        assert potential(problem.grid, turned, index) == value_of(problem, index)


def test_what_cancels_is_zero_and_not_minus_zero() -> None:
    atoms = atoms_at((1.0, 0.0, 0.0, -1.0), (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, -0.0))

    assert bits(potential(ONE_POINT, atoms, 0)) == (0.0).hex()


def test_small_terms_survive_between_large_ones() -> None:
    atoms = atoms_at((1.0, 0.0, 0.0, 1e30), (0.0, 1.0, 0.0, 1e-30), (0.0, 0.0, 1.0, -1e30))

    assert potential(ONE_POINT, atoms, 0) == 1e-30


# --- the least of many


@given(problems)
@settings(max_examples=150)
def test_the_least_is_that_of_brute_force(problem: Problem) -> None:
    assert least_of(problem) == true_minimum(problem)


@given(problems, st.data())
def test_the_order_and_number_of_candidates_do_not_matter(
    problem: Problem, data: st.DataObject
) -> None:
    every = list(range(problem.grid.points))
    candidates = data.draw(st.permutations(every)) + data.draw(st.lists(st.sampled_from(every)))

    assert least_of(problem, candidates) == least_of(problem)


@given(problems, st.integers(1, 20))
def test_any_cutting_into_chunks_gives_the_same_bits(problem: Problem, chunks: int) -> None:
    plan = split(problem.grid.shape, chunks)

    best = None
    for chunk in range(plan.chunks):
        best = lesser(best, true_minimum(problem, plan.box(chunk)))

    assert best == least_of(problem)


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.7]), st.sampled_from([0.0, 0.3]))
@settings(max_examples=25)
def test_random_problems_of_many_atoms_agree_with_brute_force(
    seed: int, min_distance: float, softening: float
) -> None:
    problem = a_problem(4, atoms=60, seed=seed, min_distance=min_distance, softening=softening)

    assert least_of(problem) == true_minimum(problem)


def test_among_tied_points_the_lowest_index_wins() -> None:
    grid = Grid.cube(5)  # an atom in the middle: by symmetry six points tie
    problem = Problem(grid, atoms_at((2.0, 2.0, 2.0, -1.0)))

    assert least_of(problem) == Minimum(-1.0, grid.linear(1, 2, 2))
    backwards = np.arange(grid.points)[::-1]
    assert least_of(problem, backwards) == Minimum(-1.0, grid.linear(1, 2, 2))


def test_atoms_that_cancel_at_one_place_leave_the_answer_alone() -> None:
    problem = a_problem(4, atoms=3, seed=4)
    rows = problem.atoms.rows().tolist()
    pair = [[0.5, 0.5, 0.5, 1e30], [0.5, 0.5, 0.5, -1e30]]

    with_pair = Problem(problem.grid, Atoms.from_rows(rows + pair))

    assert least_of(with_pair) == least_of(problem)


def test_if_everything_cancels_the_first_point_wins() -> None:
    places = random_atoms(10, seed=6, grid=Grid.cube(4)).positions
    positions = np.concatenate([places, places[::-1]])
    problem = Problem(Grid.cube(4), Atoms(positions, np.repeat([1.0, -1.0], 10)))

    assert least_of(problem) == Minimum(0.0, 0)


def test_a_lattice_with_its_many_ties_agrees_with_brute_force() -> None:
    grid = Grid((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5), (9, 9, 9))
    atoms = Atoms.from_rows(
        [[x, y, z, (-1.0) ** (x + y + z)] for x, y, z in itertools.product(range(4), repeat=3)]
    )
    problem = Problem(grid, atoms)

    assert least_of(problem) == true_minimum(problem)


def test_points_that_differ_in_the_last_bit_are_told_apart() -> None:
    # At distances d and the next float above it the values are one unit in the last place apart.
    far = math.nextafter(3.0, 4.0)
    grid = Grid((0.0, 0.0, 0.0), (6.0, 1.0, 1.0), (2, 1, 1))
    atoms = atoms_at((3.0, 0.0, 0.0, -1.0), (3.0, 0.0, 0.0, -1.0))
    moved = atoms_at((far, 0.0, 0.0, -1.0), (3.0, 0.0, 0.0, -1.0))

    assert least_of(Problem(grid, atoms)) == Minimum(math.fsum([-1 / 3] * 2), 0)
    assert least_of(Problem(grid, moved)) == true_minimum(Problem(grid, moved))


def test_no_qualifying_candidate_gives_none() -> None:
    problem = Problem(Grid.cube(2), atoms_at((0.0, 0.0, 0.0, 1.0)), min_distance=9.0)

    assert least_of(problem) is None
    assert least_of(problem, []) is None
    assert true_minimum(problem) is None


def test_more_pairs_than_a_block_holds_give_the_same_answer() -> None:
    grid = Grid.cube(9)
    atoms = random_atoms(4000, seed=8, grid=grid)  # 729 x 4000 pairs: three blocks
    problem = Problem(grid, atoms)

    best = least_of(problem)

    assert best is not None
    values = [least_of(problem, [index]) for index in range(grid.points)]
    assert best == min(value for value in values if value is not None)
    assert best.value == true_value(problem, grid.triple(best.index))


def test_the_oracle_numbers_points_as_the_grid_does() -> None:
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (2, 3, 4))

    assert [linear_index(grid, grid.triple(index)) for index in range(24)] == list(range(24))
