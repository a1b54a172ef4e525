"""The direct kernel's own promises: its bound, its memory, and atoms that add nothing."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app_tier.kinds.grid.kernels import find_minimum
from app_tier.kinds.grid.kernels.cancelling_atoms import acting
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Box
from gridwell.kinds.grid.potential import potential
from tests.harness.builders import a_problem, atoms_at

places = st.sampled_from([(0.0, 0.0, 0.0), (1.0, 0.0, 0.5)])
few_energies = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(places, few_energies), min_size=1, max_size=12))
def test_of_each_place_and_size_only_the_surplus_of_one_sign_acts(
    rows: list[tuple[tuple[float, float, float], float]],
) -> None:
    acts = acting(atoms_at(*[(*place, energy) for place, energy in rows]))

    kept = [row for row, act in zip(rows, acts, strict=True) if act]
    for place, energy in rows:
        surplus = rows.count((place, energy)) - rows.count((place, -energy))
        assert kept.count((place, energy)) == (max(surplus, 0) if energy else 0)


def test_memory_stays_at_a_few_megabytes_whatever_the_box() -> None:
    problem = a_problem(40, atoms=1500)
    problem_box = Box((0, 0, 0), (40, 40, 3))
    acting(problem.atoms)
    tracemalloc.start()
    try:
        find_minimum(problem.grid, problem.atoms, problem_box)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 40e6


def test_atoms_that_all_cancel_leave_zero_at_the_first_point() -> None:
    base = a_problem(48, atoms=500)
    rows = base.atoms.rows()
    mirrored = rows * np.array([1.0, 1.0, 1.0, -1.0])
    atoms = Atoms.from_rows(np.concatenate([rows, mirrored]))

    least = find_minimum(base.grid, atoms, Box((0, 0, 0), (8, 48, 48)))

    assert least is not None
    assert (least.value, least.index) == (0.0, 0)
    assert potential(base.grid, atoms, 0) == 0.0
