"""Both searches against brute force, to the last bit; their budget and progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from app_tier.kinds.grid.kernels import find_minimum
from app_tier.kinds.grid.kernels.search import likely_points, search_node, source_tree
from app_tier.kinds.grid.kernels.sum.single_precision import least_of_boxes
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.exclusion import NO_ZONES
from gridwell.kinds.grid.grid import Box, Grid
from gridwell.kinds.grid.problem import Problem
from tests.app_tier.kinds.grid.kernels.cases import (
    KINDS,
    Case,
    brute_force,
    case,
    differs,
    options_of,
    salt,
)
from tests.harness.builders import a_problem

if TYPE_CHECKING:
    from types import ModuleType

    from app_tier.kinds.grid.kernels.kernel import Question
    from gridwell.kinds.grid.minimum import Minimum

CASES = 40  #: of each kind; `make exactness` tries thousands


def searched(of: Case, kernel: str) -> Minimum | None:
    return find_minimum(of.problem.grid, of.problem.atoms, kernel=kernel, **options_of(of))


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_random_and_adversarial_cases_agree_with_brute_force(kernel: str, kind: int) -> None:
    numbers = range(kind, CASES * len(KINDS), len(KINDS))

    wrong = [n for n in numbers if differs(searched(case(n), kernel), brute_force(case(n)))]

    assert wrong == []


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("jitter", [0.0, 1e-3])
def test_rock_salt_whose_points_all_tie_has_the_lowest_index_of_the_least(
    kernel: str, jitter: float
) -> None:
    problem = salt(12, jitter)
    whole = Case(problem=problem, box=problem.grid.box, incumbent=None, zones=NO_ZONES)

    assert not differs(searched(whole, kernel), brute_force(whole))


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("energy_range", [(-1.0, 1.0), (0.0, 1.0), (-1.0, -0.5)])
def test_chunks_of_a_larger_grid_agree_with_the_direct_kernel(
    kernel: str, seed: int, energy_range: tuple[float, float]
) -> None:
    grid = Grid((-3.0, 8.0, 0.5), (0.5, 1.0, 0.7), (40, 30, 36))
    atoms = random_atoms(900, seed=seed, grid=grid, energy_range=energy_range)
    box = Box((0, 3, 2), (40, 12, 36)) if seed else Box((0, 0, 0), (10, 30, 36))

    least = find_minimum(grid, atoms, box, kernel=kernel)

    assert least == find_minimum(grid, atoms, box, kernel="direct")


@pytest.mark.usefixtures("unlimited")
def test_atoms_on_every_second_point_never_win(kernel: str) -> None:
    places = np.argwhere(np.indices((10, 10, 10)).sum(axis=0) % 2 == 0).astype(np.float64)
    energies = np.where(np.arange(len(places)) % 3, -1.0, 0.5)
    problem = Problem(Grid.cube(10), Atoms(places, energies))
    whole = Case(problem=problem, box=problem.grid.box, incumbent=None, zones=NO_ZONES)

    assert not differs(searched(whole, kernel), brute_force(whole))


@pytest.mark.usefixtures("unlimited")
def test_a_grid_within_min_distance_of_an_atom_has_no_minimum(kernel: str) -> None:
    grid = Grid.cube(30)
    atoms = Atoms.from_rows([(15.0, 15.0, 15.0, -1.0), (3.0, 2.0, 1.0, 1.0)])

    assert find_minimum(grid, atoms, kernel=kernel, min_distance=40.0) is None


def test_beyond_its_budget_all_pairs_are_summed_of_what_is_left(
    kernel: str, search: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = salt(20)
    summed: list[Box] = []

    def spy(question: Question, boxes: list[Box], *others: Any) -> Minimum | None:
        summed.extend(boxes)
        return least_of_boxes(question, boxes, *others)

    monkeypatch.setattr(search, "least_of_boxes", spy)
    monkeypatch.setattr(search, "_ROW", 0, raising=False)  # short rows as cheap as long ones
    whole = Case(problem=problem, box=problem.grid.box, incumbent=None, zones=NO_ZONES)

    least = searched(whole, kernel)

    assert len(summed) > 1
    assert sum(box.points for box in summed) <= problem.grid.points
    assert least == find_minimum(problem.grid, problem.atoms, kernel="direct")


def test_of_a_small_problem_all_pairs_are_summed_at_once(
    kernel: str, search: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_BranchAndBound", None)  # calling it would fail
    problem = a_problem(8, atoms=50)

    least = find_minimum(problem.grid, problem.atoms, kernel=kernel)

    assert least == find_minimum(problem.grid, problem.atoms, kernel="direct")


def test_a_budget_that_is_spent_before_the_first_box_changes_nothing(kernel: str) -> None:
    problem = a_problem(11, atoms=1000)

    least = find_minimum(problem.grid, problem.atoms, kernel=kernel)

    assert least == find_minimum(problem.grid, problem.atoms, kernel="direct")


@pytest.mark.usefixtures("unlimited")
def test_progress_counts_points_that_were_ruled_out_as_done(
    kernel: str, search: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of it takes the compiled search less than the time between two signs of life.
    monkeypatch.setattr(search, "_SLICE", 1.0, raising=False)
    problem = a_problem(40, atoms=300)
    seen: list[int] = []

    find_minimum(problem.grid, problem.atoms, kernel=kernel, progress=seen.append)

    assert seen == sorted(seen)
    assert seen[-1] == problem.grid.points
    assert len(seen) > 10


def test_progress_goes_on_rising_beyond_the_budget(kernel: str) -> None:
    problem = salt(20)
    seen: list[int] = []

    find_minimum(problem.grid, problem.atoms, kernel=kernel, progress=seen.append)

    assert seen == sorted(seen)
    assert seen[-1] == problem.grid.points


@pytest.mark.usefixtures("unlimited")
def test_what_progress_raises_ends_the_search_between_two_boxes(kernel: str) -> None:
    problem = a_problem(40, atoms=300)
    calls = 0

    def stop(_points: int) -> None:
        nonlocal calls
        calls += 1
        raise InterruptedError

    with pytest.raises(InterruptedError):
        find_minimum(problem.grid, problem.atoms, kernel=kernel, progress=stop)
    assert calls == 1


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_sources_that_are_looked_at_in_many_blocks_lose_none(
    kernel: str, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (search_node, likely_points, source_tree):
        monkeypatch.setattr(module, "_BLOCK", 16)
    numbers = range(kind, CASES // 4 * len(KINDS), len(KINDS))

    wrong = [n for n in numbers if differs(searched(case(n), kernel), brute_force(case(n)))]

    assert wrong == []
