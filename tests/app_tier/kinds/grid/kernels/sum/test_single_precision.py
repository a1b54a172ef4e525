"""Single precision as a filter: its bounds, and where it gives way to float64."""

from __future__ import annotations

import numpy as np
import pytest

from app_tier.kinds.grid.kernels import find_minimum
from app_tier.kinds.grid.kernels.sum import single_precision
from app_tier.kinds.grid.kernels.sum.point_bounds import Points
from app_tier.kinds.grid.kernels.sum.row_sums import RowBlock, slabs
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.problem import Problem
from tests.app_tier.kinds.grid.kernels.cases import KINDS, asked, brute_force_values, case, salt
from tests.harness.builders import a_problem


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_single_precision_bounds_hold_the_canonical_values(kind: int) -> None:
    known = 0
    for number in range(kind, 10 * len(KINDS), len(KINDS)):
        problem = case(number).problem
        true = brute_force_values(problem).ravel()
        search = single_precision._Filter(asked(problem), None)
        for slab in slabs(problem.grid.box):
            with np.errstate(all="ignore"):
                lower, upper = finished(search, slab)
            values = true[slab.indices(problem.grid)]
            assert (lower <= values).all()
            good = np.isfinite(upper)
            assert (values[good] <= upper[good]).all()
            known += int(good.sum())
    assert known > 0


def finished(
    search: single_precision._Filter, slab: RowBlock
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
    steps = search._single(slab)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return tuple(end.value)


def test_one_point_on_one_atom_within_min_distance_has_no_minimum() -> None:
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1, 1, 1))
    atoms = Atoms.from_rows([(0.0, 0.0, 0.0, 1.0)])

    assert find_minimum(grid, atoms, kernel="single", min_distance=1e9) is None


def test_most_points_are_ruled_out_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = a_problem(20, atoms=500)
    summed: list[int] = []
    bounds = Points.bounds

    def spy(self: Points, indices: np.ndarray[tuple[int], np.dtype[np.int64]]) -> object:
        summed.append(len(indices))
        return bounds(self, indices)

    monkeypatch.setattr(Points, "bounds", spy)

    least = find_minimum(problem.grid, problem.atoms, kernel="single")

    assert sum(summed) <= 10
    assert least == find_minimum(problem.grid, problem.atoms, kernel="direct")


def test_where_all_points_nearly_tie_float64_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    # 1 + 2 - 3 at one place cancels up to rounding: every point is a candidate.
    place = (12.3, 12.1, 12.7)
    atoms = Atoms.from_rows([(*place, energy) for energy in (1.0, 2.0, -3.0)])
    problem = Problem(Grid.cube(26), atoms)
    looked: list[bool] = []
    look = single_precision._Filter._single

    def spy(self: single_precision._Filter, slab: RowBlock) -> object:
        looked.append(True)
        return look(self, slab)

    monkeypatch.setattr(single_precision._Filter, "_single", spy)

    least = find_minimum(problem.grid, problem.atoms, kernel="single")

    assert looked == [True]
    assert least == find_minimum(problem.grid, problem.atoms, kernel="direct")


def test_in_rock_salt_single_precision_is_given_up_after_a_small_slab(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = salt(20)
    looked: list[int] = []
    true = single_precision._Filter._single

    def spy(search: single_precision._Filter, slab: RowBlock) -> object:
        looked.append(slab.points)
        return true(search, slab)

    monkeypatch.setattr(single_precision._Filter, "_single", spy)

    least = find_minimum(problem.grid, problem.atoms, kernel="single")

    assert looked[0] < problem.grid.points / 10
    assert len(looked) == 1
    assert least == find_minimum(problem.grid, problem.atoms, kernel="direct")
