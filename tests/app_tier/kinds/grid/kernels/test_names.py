"""How kernels are chosen."""

from __future__ import annotations

import pytest

from app_tier.kinds.grid.kernels import find_minimum
from tests.harness.builders import a_problem


def test_an_unknown_kernel_is_refused_with_the_known_ones() -> None:
    problem = a_problem()

    with pytest.raises(ValueError, match="no kernel 'fast'; choose one of auto, direct"):
        find_minimum(problem.grid, problem.atoms, kernel="fast")
