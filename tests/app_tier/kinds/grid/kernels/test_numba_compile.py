"""Numba is never required."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from app_tier.kinds.grid.kernels.choice import fastest
from tests.harness.builders import a_problem
from tests.harness.waiting import DEADLINE

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("n", "atoms", "expected"),
    [
        (8, 100, "direct"),  # done before anything compiled is loaded
        (16, 3000, "jit_direct"),  # all summed before the search has ruled out the first box
        (24, 1000, "jit_branch_and_bound"),
        (26, 40_000, "jit_direct"),  # more than two atoms a point: little can be ruled out
    ],
)
def test_where_it_is_compiled_the_search_pays_sooner_and_for_denser_atoms(
    n: int, atoms: int, expected: str
) -> None:
    problem = a_problem(n, atoms=atoms)

    assert fastest(problem.grid, problem.atoms, problem.grid.box, compiled=True) == expected


def in_a_process_without_numba(program: str) -> str:
    # None in sys.modules makes an import fail as that of a package that is not installed.
    blocked = "import sys\nsys.modules['numba'] = None\n" + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocked],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_numba_the_kernels_are_those_of_numpy() -> None:
    listed = in_a_process_without_numba("""
        from app_tier.kinds.grid.kernels import KERNELS
        print(*KERNELS)
        """)

    assert listed == "direct single branch_and_bound"


def test_without_numba_every_choice_finds_the_minimum() -> None:
    found = in_a_process_without_numba("""
        from app_tier.kinds.grid.kernels import AUTO, KERNELS, find_minimum
        from gridwell.kinds.grid.atoms import Atoms
        from gridwell.kinds.grid.grid import Grid
        atoms = Atoms.from_rows([(1.0, 1.0, 1.5, -1.0), (2.0, 2.0, 2.5, 0.25)])
        found = {find_minimum(Grid.cube(4), atoms, kernel=k).index for k in (AUTO, *KERNELS)}
        print(*found)
        """)

    assert found == "21"  # (1, 1, 1): as near to the well as (1, 1, 2), and farther from the other


def test_without_numba_its_kernel_is_refused_with_the_others_named() -> None:
    told = in_a_process_without_numba("""
        from app_tier.kinds.grid.kernels import find_minimum
        from gridwell.kinds.grid.atoms import Atoms
        from gridwell.kinds.grid.grid import Grid
        try:
            find_minimum(Grid.cube(2), Atoms.from_rows([(0.5, 0.5, 0.5, 1.0)]), kernel="jit_direct")
        except ValueError as error:
            print(error)
        """)

    assert told == (
        "there is no kernel 'jit_direct'; choose one of auto, direct, single, branch_and_bound"
    )
