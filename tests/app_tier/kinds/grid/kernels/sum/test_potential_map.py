"""Full maps."""

from __future__ import annotations

import numpy as np
import pytest

from app_tier.kinds.grid.kernels import potential_map
from gridwell.kinds.grid.grid import Box, Grid
from tests.app_tier.kinds.grid.kernels.cases import KINDS, brute_force_values, case
from tests.harness.builders import a_problem, atoms_at


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_a_map_is_within_its_bound_of_the_canonical_values(kind: int) -> None:
    for number in range(kind, 6 * len(KINDS), len(KINDS)):
        problem, box = case(number).problem, case(number).box
        grid, atoms = problem.grid, problem.atoms
        inside = tuple(map(slice, box.low, box.high))
        true = brute_force_values(problem)[inside]
        size = np.zeros(grid.shape)
        for row in atoms.rows():
            d = np.sqrt(sum((grid.axis(k) - row[k]).reshape(shape) ** 2 for k, shape in AXES))
            with np.errstate(divide="ignore", invalid="ignore"):
                size += np.nan_to_num(abs(row[3]) / np.maximum(d, problem.softening))

        found = potential_map(
            grid, atoms, box, min_distance=problem.min_distance, softening=problem.softening
        )

        good = np.isfinite(true)
        bound = 2 * (atoms.count + 8) * 2.0**-53 * size[inside]
        assert (np.isnan(found) == ~good).all()
        assert (np.abs(found[good] - true[good]) <= bound[good]).all()


AXES = ((0, (-1, 1, 1)), (1, (1, -1, 1)), (2, (1, 1, -1)))


def test_the_midplane_of_a_dipole_is_zero_and_its_halves_are_opposite() -> None:
    grid = Grid((-5.0, -5.0, -5.0), (1.0, 1.0, 1.0), (11, 11, 11))

    found = potential_map(grid, atoms_at((0, 0, 0.5, 1.0), (0, 0, -0.5, -1.0)), grid.box)

    assert np.abs(found[:, :, 5]).max() < 1e-15
    np.testing.assert_allclose(found, -found[:, :, ::-1], atol=1e-15)


def test_a_map_tells_its_progress_up_to_the_last_point() -> None:
    problem = a_problem(20, atoms=2000)
    box = Box((0, 0, 0), (20, 20, 10))
    seen: list[int] = []

    potential_map(problem.grid, problem.atoms, box, progress=seen.append)

    assert seen == sorted(seen)
    assert seen[-1] == box.points
