"""`find_minimum` against brute force with `math.fsum`, to the last bit."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_tier.kinds.grid.kernels import KERNELS, find_minimum
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.chunking import split
from gridwell.kinds.grid.grid import Box, Grid
from gridwell.kinds.grid.minimum import Minimum, lesser
from gridwell.kinds.grid.problem import Problem
from tests.harness.builders import a_problem, atoms_at
from tests.harness.oracle import linear_index, true_minimum, true_value
from tests.kinds.grid import strategies

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.parametrize("kernel", ["auto", *KERNELS])

QUICK = settings(max_examples=150, deadline=None)


def found(problem: Problem, box: Box | None = None, **options: Any) -> Minimum | None:
    return find_minimum(
        problem.grid,
        problem.atoms,
        box,
        min_distance=problem.min_distance,
        softening=problem.softening,
        **options,
    )


def same_bits(a: Minimum | None, b: Minimum | None) -> bool:
    return (a and a.key()) == (b and b.key())


@st.composite
def boxes(draw: st.DrawFn, shape: tuple[int, int, int]) -> Box:
    ends = [sorted(draw(st.tuples(st.integers(0, n - 1), st.integers(1, n)))) for n in shape]
    (x0, x1), (y0, y1), (z0, z1) = ((a, max(b, a + 1)) for a, b in ends)
    return Box((x0, y0, z0), (x1, y1, z1))


@QUICK
@given(problem=strategies.problems)
def test_a_whole_grid_has_the_minimum_of_brute_force(kernel: str, problem: Problem) -> None:
    assert same_bits(found(problem, kernel=kernel), true_minimum(problem))


@QUICK
@given(data=st.data(), problem=strategies.problems)
def test_a_box_has_the_minimum_of_brute_force(
    kernel: str, data: st.DataObject, problem: Problem
) -> None:
    box = data.draw(boxes(problem.grid.shape))

    assert same_bits(found(problem, box, kernel=kernel), true_minimum(problem, box))


@QUICK
@given(data=st.data(), problem=strategies.problems)
def test_an_incumbent_competes_with_the_box_and_changes_nothing_else(
    kernel: str, data: st.DataObject, problem: Problem
) -> None:
    box = data.draw(boxes(problem.grid.shape))
    index = data.draw(st.integers(0, problem.grid.points - 1))
    value = true_value(problem, problem.grid.triple(index))
    rival = None if value is None else Minimum(value, index)

    least = found(problem, box, incumbent=index, kernel=kernel)

    assert same_bits(least, lesser(true_minimum(problem, box), rival))


@QUICK
@given(problem=strategies.problems, chunks=st.integers(1, 12))
def test_the_least_of_any_plans_chunks_is_the_least_of_the_grid(
    kernel: str, problem: Problem, chunks: int
) -> None:
    plan = split(problem.grid.shape, chunks)
    least: Minimum | None = None
    for chunk in range(plan.chunks):
        hint = None if least is None else least.index
        least = lesser(least, found(problem, plan.box(chunk), incumbent=hint, kernel=kernel))

    assert same_bits(least, found(problem, kernel=kernel))


def seeded() -> Iterator[Any]:
    """Problems of many kinds, each with a name that says which."""
    kinds = ["mixed", "positive", "negative", "on points", "clustered", "lattice", "cancelling"]
    for kind, seed in itertools.product(kinds, range(12)):
        yield pytest.param(kind, seed, id=f"{kind}-{seed}")


def drawn(kind: str, seed: int) -> Problem:
    """A problem of a kind: up to 300 points and 60 atoms, some with options."""
    draw = random.Random(f"{kind} {seed}")
    shape = (draw.randint(1, 7), draw.randint(1, 7), draw.randint(1, 7))
    spacing = (draw.choice([1.0, 0.3]), draw.choice([1.0, 0.7]), 1.0)
    origin = (draw.choice([0.0, -2.5]), 0.0, draw.choice([0.0, 1e3 + 0.1]))
    grid = Grid(origin, spacing, shape)
    rows = []
    for _ in range(draw.randint(1, 60)):
        place = [o + s * (n - 1) * draw.random() for o, s, n in zip(*_ranges(grid), strict=True)]
        energy = draw.uniform(-1, 1)
        if kind == "positive":
            energy = abs(energy) + 0.01
        elif kind == "negative":
            energy = -abs(energy) - 0.01
        elif kind == "on points":
            place = list(grid.point(draw.randrange(grid.points)))
            energy = draw.choice([-1.0, 0.0, 1.0])
        elif kind == "clustered":
            place = [o + 1e-7 * draw.random() for o in grid.origin]
        elif kind == "lattice":
            half = [draw.randrange(2 * n) / 2 for n in shape]
            place = [o + s * h for o, s, h in zip(origin, spacing, half, strict=True)]
            energy = draw.choice([-1.0, 1.0])
        rows.append((*place, energy if abs(energy) > limits.MIN_ENERGY else 0.0))
    if kind == "cancelling":
        rows += [(x, y, z, -e) for x, y, z, e in rows[draw.randint(0, 1) :]]
    choices: list[dict[str, Any]] = [{}, {"min_distance": 0.6}, {"softening": 0.4}]
    return Problem(grid, Atoms.from_rows(rows), **draw.choice(choices))


def _ranges(grid: Grid) -> tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...]]:
    return grid.origin, grid.spacing, grid.shape


@pytest.mark.parametrize(("kind", "seed"), list(seeded()))
def test_seeded_problems_of_every_kind_agree_with_brute_force(
    kernel: str, kind: str, seed: int
) -> None:
    problem = drawn(kind, seed)

    assert same_bits(found(problem, kernel=kernel), true_minimum(problem))


def test_of_equal_values_the_lowest_index_wins(kernel: str) -> None:
    # One atom in the middle of a cube: its eight corners tie.
    problem = Problem(Grid.cube(5), atoms_at((2.0, 2.0, 2.0, 1.0)))

    least = found(problem, kernel=kernel)

    assert least == true_minimum(problem)
    assert least is not None
    assert least.index == 0


def test_a_tying_incumbent_of_a_higher_index_loses(kernel: str) -> None:
    problem = Problem(Grid.cube(5), atoms_at((2.0, 2.0, 2.0, 1.0)))

    least = found(problem, incumbent=124, kernel=kernel)

    assert least is not None
    assert least.index == 0


def test_no_qualifying_point_has_no_minimum(kernel: str) -> None:
    problem = Problem(Grid.cube(3), atoms_at((1.0, 1.0, 1.0, -1.0)), min_distance=10.0)

    assert found(problem, kernel=kernel) is None
    assert found(problem, incumbent=5, kernel=kernel) is None


@pytest.mark.parametrize("energy", [-1.0, 0.0, 1.0])
def test_a_point_on_an_atom_never_wins_whatever_the_energy(kernel: str, energy: float) -> None:
    problem = Problem(Grid.cube(2), atoms_at((0.0, 0.0, 0.0, energy), (5.0, 5.0, 5.0, -1e-3)))
    on_atom = Box((0, 0, 0), (1, 1, 1))

    assert found(problem, on_atom, kernel=kernel) is None
    assert same_bits(found(problem, kernel=kernel), true_minimum(problem))


def test_cancelling_pairs_still_disqualify_the_point_they_lie_on(kernel: str) -> None:
    pair = (0.0, 0.0, 0.0, 2.0), (0.0, 0.0, 0.0, -2.0)
    problem = Problem(Grid.cube(3), atoms_at(*pair))

    assert found(problem, kernel=kernel) == Minimum(0.0, 1)


def test_a_sphere_of_min_distance_keeps_its_surface(kernel: str) -> None:
    problem = Problem(Grid.cube(9), atoms_at((4.0, 4.0, 4.0, -1.0)), min_distance=3.0)

    least = found(problem, kernel=kernel)

    assert least == Minimum(-1 / 3, linear_index(problem.grid, (1, 4, 4)))


def test_the_extremes_of_the_limits_stay_finite_and_exact(kernel: str) -> None:
    tiny = 1e-160  # its square is the least of subnormal numbers that is not zero, or near it
    huge = limits.MAX_ENERGY
    rows = [(tiny, 0.0, 0.0, -huge), (0.0, tiny, 0.0, huge), (1.0, 1.0, 1.0, limits.MIN_ENERGY)]
    problem = Problem(Grid.cube(3), Atoms.from_rows(rows * 3))
    far = Problem(
        Grid((-1e9, 1e9, 0.0), (1e9, 1e-9, 1e9), (4, 3, 5)),
        atoms_at((1e9, 1e9, -1e9, huge), (-1e9, 1e9, 1e9, -limits.MIN_ENERGY)),
    )

    assert same_bits(found(problem, kernel=kernel), true_minimum(problem))
    assert same_bits(found(far, kernel=kernel), true_minimum(far))


def test_more_atoms_and_longer_rows_than_a_block_change_nothing(kernel: str) -> None:
    draw = random.Random(7)
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 0.125), (1, 2, 150))
    rows = [
        (draw.random(), draw.random(), 19 * draw.random(), draw.gauss(0, 1)) for _ in range(2100)
    ]
    problem = Problem(grid, Atoms.from_rows(rows), min_distance=0.05)

    assert same_bits(found(problem, kernel=kernel), true_minimum(problem))


def test_thousands_of_near_ties_are_evaluated_in_batches(kernel: str) -> None:
    # 1 + 2 - 3 at one place cancels only up to rounding: every point is a candidate.
    problem = Problem(Grid.cube(20), atoms_at(*[(9.3, 9.1, 9.7, e) for e in (1.0, 2.0, -3.0)]))

    assert same_bits(found(problem, kernel=kernel), true_minimum(problem))


def test_progress_rises_to_the_points_of_the_box(kernel: str) -> None:
    problem = a_problem(20, atoms=700)
    seen: list[int] = []

    found(problem, Box((0, 0, 0), (20, 20, 10)), progress=seen.append, kernel=kernel)

    assert seen == sorted(seen)
    assert seen[-1] == 4000
    assert len(seen) > 2


def test_what_progress_raises_ends_the_search(kernel: str) -> None:
    def stop(_points: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        found(a_problem(), progress=stop, kernel=kernel)


@pytest.mark.parametrize("incumbent", [-1, 64])
def test_an_incumbent_outside_the_grid_is_refused(kernel: str, incumbent: int) -> None:
    with pytest.raises(ValueError, match=f"incumbent {incumbent} is not one of 64"):
        found(a_problem(4), incumbent=incumbent, kernel=kernel)


@pytest.mark.parametrize("box", [Box((0, 0, 0), (5, 4, 4)), Box((1, 1, 1), (1, 2, 2))])
def test_a_box_outside_the_grid_or_without_points_is_refused(kernel: str, box: Box) -> None:
    with pytest.raises(ValueError, match="is not in a grid"):
        found(a_problem(4), box, kernel=kernel)
