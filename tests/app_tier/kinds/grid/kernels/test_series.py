"""Series by every kernel against brute force, point by point and to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app_tier.kinds.grid.kernels import AUTO, KERNELS, find_minimum
from app_tier.kinds.grid.kernels.sum.incremental_series import IncrementalSeries
from app_tier.kinds.grid.runners import SERIES
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.series_points import flaw, steps
from tests.harness.builders import a_problem
from tests.harness.oracle import true_series
from tests.kinds.grid import strategies

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid
    from gridwell.kinds.grid.minimum import Minimum

LADDER = "ladder"
WAYS = [AUTO, *KERNELS, LADDER]

series = st.builds(
    Series,
    st.integers(2, 6),
    st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.floats(0, 4)),
    st.sampled_from([0, 1, -1]),
)


def computed(problem: Problem, kernel: str) -> tuple[Minimum, ...]:
    if kernel == LADDER:
        options = {"min_distance": problem.min_distance, "softening": problem.softening}
        return tuple(
            steps(
                problem, IncrementalSeries(problem.grid, progress=lambda _points: None, **options)
            )
        )

    def search(acting: Atoms, zones: NDArray[np.float64], hint: int | None) -> Minimum | None:
        return find_minimum(
            problem.grid,
            acting,
            min_distance=problem.min_distance,
            softening=problem.softening,
            zones=zones,
            kernel=kernel,
            incumbent=hint,
        )

    return tuple(steps(problem, search))


def keys(points: tuple[Minimum, ...]) -> list[str]:
    return [point.key() for point in points]


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("kernel", WAYS)
def test_a_series_is_that_of_brute_force(kernel: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(strategies.grids, strategies.atoms, strategies.distances, strategies.distances, series)
    def holds(
        grid: Grid, atoms: Atoms, min_distance: float, softening: float, wanted: Series
    ) -> None:
        assume(not wanted.ion or max(grid.point(grid.points - 1)) <= limits.MAX_COORDINATE)
        problem = Problem(grid, atoms, min_distance, softening, series=wanted)
        found = computed(problem, kernel)
        assert keys(found) == keys(true_series(problem))
        assert not found or flaw(problem, found) is None

    holds()


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("ion", [0, 1, -1])
@pytest.mark.parametrize("kernel", WAYS)
def test_larger_series_are_those_of_brute_force(kernel: str, ion: int) -> None:
    problem = a_problem(9, atoms=40, min_distance=0.4, series=Series(9, 2.0, ion))

    assert keys(computed(problem, kernel)) == keys(true_series(problem))


@pytest.mark.parametrize("ion", [0, 1, -1])
def test_the_worker_computes_the_series(ion: int) -> None:
    problem = a_problem(8, atoms=20, series=Series(5, 1.5, ion))

    found = SERIES.search(problem, problem.grid.box, 7, lambda _points: None)

    assert found.points == true_series(problem)
    assert found.best == found.points[0]
