"""What `auto` chooses."""

from __future__ import annotations

import pytest

from app_tier.kinds.grid.kernels.choice import fastest
from gridwell.kinds.grid.grid import Box
from tests.harness.builders import a_problem


@pytest.mark.parametrize(
    ("n", "atoms", "expected"),
    [
        (8, 100, "direct"),  # done in a fraction of a millisecond
        (16, 1000, "single"),  # done before clusters are found
        (20, 9000, "single"),  # more atoms than points: wells everywhere
        (32, 1000, "branch_and_bound"),
    ],
)
def test_the_choice_follows_the_pairs_and_the_density(n: int, atoms: int, expected: str) -> None:
    problem = a_problem(n, atoms=atoms)

    assert fastest(problem.grid, problem.atoms, problem.grid.box) == expected


def test_a_small_box_of_a_large_grid_is_summed() -> None:
    problem = a_problem(64, atoms=1000)

    assert fastest(problem.grid, problem.atoms, Box((0, 0, 0), (8, 8, 8))) == "single"
