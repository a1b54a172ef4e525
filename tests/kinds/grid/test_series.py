"""What holds of every series, whoever computes it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid.cost import LADDER_POINTS, chunk_count, is_summed, seconds
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.potential import least, potential
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.series_points import flaw, steps
from tests.harness.builders import a_problem
from tests.harness.oracle import true_series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms

PROBLEMS = [
    a_problem(6, atoms=12, seed=seed, min_distance=0.5, series=Series(6, 1.5, ion))
    for seed in range(3)
    for ion in (0, 1, -1)
]

PLACED, TOP = Series(6, 5.0, 1), Series(6, 3.0)


def found(problem: Problem) -> tuple[Minimum, ...]:
    """The series as the domain's own functions find it, without any kernel."""
    every = np.arange(problem.grid.points)

    def search(acting: Atoms, zones: NDArray[np.float64], _hint: int | None) -> Minimum | None:
        return least(problem.grid, acting, every, min_distance=problem.min_distance, zones=zones)

    return tuple(steps(problem, search))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_definition_is_that_of_brute_force(problem: Problem) -> None:
    assert found(problem) == true_series(problem)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_shorter_series_are_the_beginnings_of_longer_ones(problem: Problem) -> None:
    assert problem.series is not None
    for count in range(2, 6):
        shorter = replace(problem, series=replace(problem.series, count=count))
        assert found(shorter) == found(problem)[:count]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_values_never_fall_and_points_keep_their_distance(problem: Problem) -> None:
    points = found(problem)
    places = [np.array(problem.grid.point(point.index)) for point in points]

    assert all(a.value <= b.value for a, b in itertools.pairwise(points))
    assert all(np.linalg.norm(a - b) >= 1.5 for a, b in itertools.combinations(places, 2))


def test_ions_of_opposite_energy_in_opposite_atoms_are_placed_alike() -> None:
    problem = PROBLEMS[1]
    assert problem.series is not None
    opposite = type(problem.atoms)(problem.atoms.positions, -problem.atoms.energies)
    mirrored = Problem(problem.grid, opposite, 0.5, series=replace(problem.series, ion=-1))

    assert found(mirrored) == found(problem)


def test_the_energy_of_an_ion_is_its_own_energy_times_the_potential_there() -> None:
    problem = PROBLEMS[2]
    series = problem.series
    assert series is not None
    first = found(problem)[0]

    value = potential(problem.grid, problem.atoms, first.index, min_distance=0.5)

    assert value == series.potential_of(first.value) == -first.value


@pytest.mark.parametrize("problem", PROBLEMS)
def test_true_points_have_no_flaw_and_others_have(problem: Problem) -> None:
    points = found(problem)
    outside = Minimum(points[-1].value, problem.grid.points)
    nudged = Minimum(float(np.nextafter(points[-1].value, 9.0)), points[-1].index)

    assert flaw(problem, points) is None
    for lie in (
        (),
        points[:-1],
        points[::-1],
        (*points[:-1], points[0]),
        (*points[:-1], nudged),
        (*points[:-1], outside),
        (*points, points[-1]),
    ):
        assert flaw(problem, lie) is not None


def test_a_lesser_value_after_a_greater_one_is_a_flaw() -> None:
    problem = replace(PROBLEMS[0], series=Series(2))
    first, second = found(problem)

    assert flaw(problem, (second, first)) == "a later value is less than an earlier one"


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ((0, 0.0, 0), "/top"),
        ((201, 0.0, 0), "/top"),
        ((201, 0.0, 1), "/place/count"),
        ((2, -1.0, 0), "/min_separation"),
        ((2, float("nan"), -1), "/place/min_separation"),
        ((2, 0.0, 2), "/place/energy"),
    ],
)
def test_a_value_outside_the_limits_is_told_where_it_was_given(
    values: tuple[int, float, int], pointer: str
) -> None:
    with pytest.raises(InvalidJob) as refused:
        Series(*values)

    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_series_is_one_chunk_and_costs_more_the_longer_it_is() -> None:
    shape = (100, 100, 100)
    costs = [seconds(shape, 1000, series=Series(count)) for count in (1, 10, 200)]

    assert chunk_count(shape, 1000, series=Series(200)) == 1
    assert costs == sorted(costs)
    assert is_summed(shape, 1000, Series(200), min_distance=0.0)
    assert not is_summed((LADDER_POINTS, 1, 2), 1000, Series(200), min_distance=0.0)


@pytest.mark.parametrize(
    ("side", "atoms", "series", "min_distance", "measured"),
    [  # CPU seconds of `python -m benchmarks.series` on one core, with numpy alone
        (16, 10_000, PLACED, 2.0, 0.103),
        (32, 1000, replace(PLACED, count=20), 2.0, 0.099),
        (32, 10_000, TOP, 0.0, 0.649),
        (64, 100, PLACED, 2.0, 0.105),
        (64, 1000, replace(TOP, count=20), 0.0, 0.536),
        (64, 10_000, PLACED, 2.0, 6.07),
        (64, 10_000, TOP, 0.0, 1.63),
        (128, 100, PLACED, 2.0, 0.228),
        (128, 1000, replace(PLACED, count=1), 2.0, 0.139),
        (128, 1000, replace(PLACED, count=20), 2.0, 5.14),
        (128, 1000, TOP, 0.0, 0.188),
        (128, 10_000, replace(TOP, count=20), 0.0, 10.0),
    ],
)
def test_what_a_series_costs_is_known_within_a_half(
    side: int, atoms: int, series: Series, min_distance: float, measured: float
) -> None:
    estimate = seconds((side, side, side), atoms, series=series, min_distance=min_distance)

    assert 0.5 * measured <= estimate <= 1.5 * measured
