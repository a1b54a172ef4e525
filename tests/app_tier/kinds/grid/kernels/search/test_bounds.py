"""The bounds themselves: a bound that is wrong but harmless today is still wrong."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app_tier.kinds.grid.kernels.cancelling_atoms import acting
from app_tier.kinds.grid.kernels.search.box_cut import parts
from app_tier.kinds.grid.kernels.search.nearest_points import floors
from app_tier.kinds.grid.kernels.search.quadratic import Quadratics
from app_tier.kinds.grid.kernels.search.search_node import (
    Search,
    SearchNode,
    cut_and_bounded,
    narrowed,
    root,
)
from app_tier.kinds.grid.kernels.search.source_tree import (
    ENERGY,
    FIRST,
    FLOOR,
    PLACE,
    RADIUS,
    SECOND,
    sources_of,
)
from app_tier.kinds.grid.kernels.sum.point_bounds import Points
from gridwell.kinds.grid.exclusion import NO_ZONES
from gridwell.kinds.grid.grid import Box
from tests.app_tier.kinds.grid.kernels.cases import KINDS, asked, brute_force_values, case
from tests.harness.builders import a_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.kinds.grid.problem import Problem

SLACK = 2.0 * (500 + 512) * 2.0**-53


def all_bounds(problem: Problem, gap: float) -> Iterator[tuple[Box, float, bool]]:
    """Every box that a search which rules nothing out would look at, and its bound."""
    grid, atoms = problem.grid, problem.atoms
    sources = sources_of(grid, atoms, problem.min_distance, problem.softening)
    search = Search(
        axes=(grid.axis(0), grid.axis(1), grid.axis(2)),
        sources=sources,
        min_distance=problem.min_distance,
        softening=problem.softening,
        zones=NO_ZONES,
    )
    todo: list[tuple[SearchNode, Box]] = [(root(search, grid.box), grid.box)]
    while todo:
        parent, box = todo.pop()
        family = narrowed(search, parent, box, gap)
        cut, lower, void = cut_and_bounded(search, family, SLACK)
        start, stop = (ends.tolist() for ends in parts(cut))
        for k in range(len(lower)):
            part = Box(tuple(start[k]), tuple(stop[k]))
            yield part, float(lower[k]), bool(void[k])
            if part.points > 1:
                todo.append((family, part))


@pytest.mark.parametrize("gap", [0.0, 1e-3, 1.0, np.inf])
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # what is not finite rules nothing out
def test_no_point_is_below_the_bound_of_a_box_that_holds_it(kind: int, gap: float) -> None:
    for number in range(kind, 8 * len(KINDS), len(KINDS)):
        problem = case(number).problem
        if not acting(problem.atoms).any():
            continue
        values = brute_force_values(problem)
        per_energy = gap / max(min(problem.grid.spacing), 1e-3)
        for box, lower, void in all_bounds(problem, per_energy):
            inside = values[tuple(map(slice, box.low, box.high))]
            least = inside.min()
            assert lower <= least, (number, box)
            assert not (void and least < np.inf), (number, box)


def test_a_bound_is_tight_for_single_points_of_few_atoms() -> None:
    problem = a_problem(6, atoms=7)  # too few for clusters
    values = brute_force_values(problem)

    for box, lower, _ in all_bounds(problem, 0.0):
        if box.points == 1 and np.isfinite(value := values[box.low]):
            assert lower == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("number", range(0, 60, 7))
def test_clusters_have_the_moments_of_their_atoms_and_hold_them(number: int) -> None:
    problem = case(number).problem
    sources = sources_of(problem.grid, problem.atoms, 0.0, 0.0)
    acts = acting(problem.atoms)
    numbers = np.arange(sources.table.shape[1], dtype=np.int32)
    clusters = numbers[sources.clusters(numbers)].tolist()

    def atoms_of(source: int) -> list[int]:
        if source not in clusters:
            return [source]
        parts = sources.parts_of(numbers[[source]]).tolist()
        return list(itertools.chain.from_iterable(map(atoms_of, parts)))

    every = sorted(itertools.chain.from_iterable(atoms_of(int(top)) for top in sources.tops))
    assert every == sorted({*numbers.tolist()} - {*clusters})
    assert len(every) == acts.sum()
    for source in clusters:
        rows = sources.rows(numbers[[source]])[:, 0]
        atoms = sources.rows(numbers[sorted(atoms_of(source))])
        d = atoms[PLACE] - rows[PLACE][:, None]
        size = np.abs(atoms[ENERGY]).sum() * max(rows[RADIUS], 1e-300)
        assert np.abs(atoms[ENERGY].sum() - rows[ENERGY]) <= 1e-13 * np.abs(rows[ENERGY])
        assert np.abs((atoms[ENERGY] * d).sum(axis=1) - rows[FIRST]).max() <= 1e-12 * size
        second = (atoms[ENERGY] * (d * d).sum(axis=0)).sum()
        assert np.abs(second - rows[SECOND]) <= 1e-12 * np.abs(second)
        assert np.sqrt((d * d).sum(axis=0)).max() <= rows[RADIUS]
        assert rows[FLOOR] <= atoms[FLOOR].min()


@pytest.mark.parametrize("number", range(0, 120, 5))
def test_no_qualifying_point_is_nearer_to_an_atom_than_its_floor(number: int) -> None:
    problem = case(number).problem
    grid, atoms = problem.grid, problem.atoms
    floor = floors(grid, atoms.positions, problem.min_distance, problem.softening)
    qualifying = np.isfinite(brute_force_values(problem)).ravel()

    steps = np.indices(grid.shape).reshape(3, -1)[:, qualifying]
    squares = np.zeros((steps.shape[1], atoms.count))
    for k in range(3):
        squares += (grid.axis(k)[steps[k]][:, None] - atoms.positions[:, k]) ** 2

    assert (np.maximum(np.sqrt(squares), problem.softening) >= floor).all()


def test_the_least_of_a_quadratic_is_met_in_its_box_and_not_undercut() -> None:
    draw = np.random.default_rng(3)
    count = 200
    quadratics = Quadratics(
        constant=draw.standard_normal(count),
        gradient=draw.standard_normal((count, 3)),
        curvature=draw.standard_normal((count, 3)) * draw.integers(0, 2, (count, 3)),
        size=np.ones(count),
    )
    low = draw.uniform(-2, 1, (count, 3))
    high = low + draw.uniform(0, 2, (count, 3))

    with np.errstate(all="ignore"):
        least = quadratics.least(low, high)

    places = np.linspace(0, 1, 41)
    axes = low[:, :, None] + (high - low)[:, :, None] * places
    each = (quadratics.gradient[..., None] + quadratics.curvature[..., None] * axes) * axes
    sampled = quadratics.constant + each.min(axis=2).sum(axis=1)
    assert (least <= sampled + 1e-12).all()
    assert (sampled - least).max() < 0.02


@pytest.mark.parametrize("number", range(0, 120, 5))
def test_bounds_of_single_points_hold_their_canonical_values(number: int) -> None:
    problem = case(number).problem
    points = Points(asked(problem))
    indices = np.arange(problem.grid.points)
    true = brute_force_values(problem).ravel()

    good, lower, upper = points.bounds(indices)

    assert (good == np.isfinite(true)).all()
    assert ((lower <= true[good]) & (true[good] <= upper)).all()
