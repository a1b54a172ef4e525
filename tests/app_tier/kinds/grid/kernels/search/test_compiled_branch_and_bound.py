"""The compiled search: the bounds that it goes by, its field, and its lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is not installed: pip install 'gridwell[fast]'")

from app_tier.kinds.grid.kernels import find_minimum
from app_tier.kinds.grid.kernels.cancelling_atoms import acting
from app_tier.kinds.grid.kernels.search import compiled_box_loops as boxes
from app_tier.kinds.grid.kernels.search import compiled_branch_and_bound
from app_tier.kinds.grid.kernels.search import compiled_state as state
from app_tier.kinds.grid.kernels.search.compiled_field import add_far, move, value
from app_tier.kinds.grid.kernels.search.compiled_narrowing import judge
from app_tier.kinds.grid.kernels.search.compiled_state import new_desk, new_path, new_tree
from app_tier.kinds.grid.kernels.search.source_tree import sources_of
from app_tier.kinds.grid.kernels.sum import compiled_direct
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Box, Grid
from tests.app_tier.kinds.grid.kernels.cases import KINDS, asked, brute_force_values, case, salt
from tests.harness.builders import a_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Question
    from gridwell.kinds.grid.minimum import Minimum
    from gridwell.kinds.grid.problem import Problem

Looked = tuple[list[tuple[Box, float]], "NDArray[np.int64]", "NDArray[np.float64]"]


def looked_at(problem: Problem, gap: float, upper: float = np.inf) -> Iterator[Looked]:
    """Of each box looked at: its parts with their bounds, and its points with theirs."""
    question = asked(problem)
    options = question.min_distance, question.softening
    sources = sources_of(question.grid, question.atoms, *options)
    tree = new_tree(question, sources)
    path, desk = new_path(problem.grid.box), new_desk(len(sources.child))
    lists = np.zeros(1 << 16, dtype=np.int32)
    lists[: len(sources.tops)] = sources.tops
    path.near[0] = 0, (sources.tops < sources.positive).sum(), len(sources.tops)
    path.numbers[state.UPPER], path.numbers[state.GAP] = upper, gap
    path.numbers[state.SLACK] = 2.0 * (problem.atoms.count + 1024) * 2.0**-53
    result = boxes.PAUSED
    while result != boxes.DONE:
        before = path.counts[state.OPEN] - 1
        path.numbers[state.UNTIL] = path.numbers[state.COST] + 1.0  # one box
        result = boxes.look(tree, path, desk, lists, state.PARTS)
        assert result != boxes.FULL
        parts = [
            (Box(tuple(path.boxes[n, 1:4].tolist()), tuple(path.boxes[n, 4:].tolist())), lower)
            for n, lower in enumerate(path.lowers[: path.counts[state.OPEN]].tolist())
        ]
        found = path.counts[state.HITS] if result == boxes.FOUND else 0
        yield parts[before:], path.hits[:found].copy(), path.hit_lowers[:found].copy()


@pytest.mark.parametrize("gap", [0.0, 1e-3, 1.0, np.inf])
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_no_point_is_below_its_bound_or_its_boxs_and_none_is_forgotten(
    kind: int, gap: float
) -> None:
    for number in range(kind, 12 * len(KINDS), len(KINDS)):
        problem = case(number).problem
        if not acting(problem.atoms).any():
            continue
        values = brute_force_values(problem)
        seen = np.zeros(problem.grid.points, dtype=np.int64)
        for parts, points, lowers in looked_at(problem, gap * min(problem.grid.spacing) ** 2):
            seen[points] += 1
            assert (lowers <= values.ravel()[points]).all(), number
            for box, lower in parts:
                assert lower <= values[tuple(map(slice, box.low, box.high))].min(), (number, box)
        assert (seen <= 1).all()
        assert seen[np.isfinite(values).ravel()].all(), number


def test_a_bound_is_tight_for_points_of_few_atoms() -> None:
    problem = a_problem(6, atoms=7)  # too few for clusters
    values = brute_force_values(problem).ravel()

    for _, points, lowers in looked_at(problem, 0.0):
        assert lowers == pytest.approx(values[points], rel=0.01, abs=1e-3)


def test_only_boxes_that_may_hold_the_least_are_opened() -> None:
    problem = a_problem(40, atoms=300)
    least = float(brute_force_values(problem).min())

    boxes_seen = [parts for parts, _, _ in looked_at(problem, 1e-2, upper=least)]
    points = [points for _, points, _ in looked_at(problem, 1e-2, upper=least)]

    assert len(boxes_seen) < 100  # of 1,000 small ones
    assert 1 <= len(np.concatenate(points)) < 10


def direct(sources: NDArray[np.float64], x: float, y: float, z: float) -> float:
    at = np.array([[x], [y], [z]])
    return float((sources[3] / np.linalg.norm(sources[:3] - at, axis=0)).sum())


@pytest.mark.parametrize("seed", range(5))
def test_a_field_is_within_its_error_and_the_same_about_any_centre(seed: int) -> None:
    draw = np.random.default_rng(seed)
    block = np.zeros((state.ROWS, state.BLOCK))
    block[:3] = draw.standard_normal((3, state.BLOCK))
    block[:3] *= draw.uniform(2.5, 9.0, state.BLOCK) / np.linalg.norm(block[:3], axis=0)
    block[3] = draw.uniform(-1, 1, state.BLOCK)
    sources, distance = block.copy(), np.linalg.norm(block[:3], axis=0)
    judge(block.ravel(), state.BLOCK, 1.0, np.inf, 0.0, 1.0, 0.0)
    sums = np.zeros(state.FIELD * state.PARTS)

    add_far(block.ravel(), state.BLOCK, state.PARTS, sums)

    field, moved = sums.reshape(state.FIELD, state.PARTS).sum(axis=1), np.zeros(state.FIELD)
    rest = np.abs(sources[3]) / (distance**4 * (distance - 1.0))
    assert field[20] == pytest.approx(rest.sum(), rel=1e-12)
    assert field[21] == pytest.approx(8 * np.abs(sources[3] / distance).sum(), rel=1e-12)
    for _ in range(20):
        to, at = draw.standard_normal((2, 3))
        to, at = 0.5 * to / np.linalg.norm(to), at / np.linalg.norm(at)
        move(field, moved, *to)
        assert value(moved, *(at - to)) == pytest.approx(value(field, *at), rel=1e-11)
        assert abs(value(field, *at) - direct(sources, *at)) <= field[20]
        # So near to the centre the order tells: what is left falls with the fourth power.
        assert abs(value(field, *0.1 * at) - direct(sources, *0.1 * at)) <= 2e-4 * field[20]


@pytest.mark.usefixtures("unlimited")
def test_lists_that_are_too_short_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_branch_and_bound, "_ROOM", 1)
    problem = a_problem(30, atoms=2000)

    least = find_minimum(problem.grid, problem.atoms, kernel="jit_branch_and_bound")

    assert least == find_minimum(problem.grid, problem.atoms, kernel="jit_direct")


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_thousands_of_atoms_of_one_place_are_one_source(sign: float) -> None:
    places = np.repeat([[7.3, 2.1, 9.9], [1.5, 8.2, 3.3]], 3000, axis=0)
    energies = sign * np.linspace(0.5, 1.0, len(places))
    grid, atoms = Grid.cube(14), Atoms(places, energies)

    least = find_minimum(grid, atoms, kernel="jit_branch_and_bound")

    assert least == find_minimum(grid, atoms, kernel="direct")


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("options", [{"min_distance": 6.0}, {"softening": 6.0}])
def test_options_that_reach_beyond_small_boxes_are_kept(options: dict[str, Any]) -> None:
    for seed in range(3):
        problem = a_problem(24, atoms=40, seed=seed, **options)

        found, true = (
            find_minimum(problem.grid, problem.atoms, kernel=kernel, **options)
            for kernel in ("jit_branch_and_bound", "direct")
        )

        assert found == true


def test_where_rows_have_become_short_the_whole_box_is_summed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = salt(20)
    summed: list[Box] = []

    def spy(question: Question, boxes: list[Box], *others: Any) -> Minimum | None:
        summed.extend(boxes)
        return compiled_direct.least_of_boxes(question, boxes, *others)

    monkeypatch.setattr(compiled_branch_and_bound, "least_of_boxes", spy)
    seen: list[int] = []

    least = find_minimum(
        problem.grid, problem.atoms, kernel="jit_branch_and_bound", progress=seen.append
    )

    assert summed == [problem.grid.box]
    assert least == find_minimum(problem.grid, problem.atoms, kernel="direct")
    assert seen == sorted(seen)


def test_what_is_left_is_summed_box_by_box() -> None:
    problem = a_problem(12, atoms=60)
    halves = [Box((0, 0, 0), (5, 12, 12)), Box((5, 0, 0), (12, 12, 12))]
    seen: list[int] = []

    least = compiled_direct.least_of_boxes(asked(problem), halves, None, seen.append)

    assert least == find_minimum(problem.grid, problem.atoms, kernel="direct")
    assert seen == sorted(seen)
    assert seen[-1] == problem.grid.points
