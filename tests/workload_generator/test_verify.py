"""The generator's own computation, against fractions and against lies."""

from __future__ import annotations

import ast
import itertools
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import workload_generator
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.problem import Problem
from tests.harness.oracle import true_minimum
from workload_generator.requests import Mix, request
from workload_generator.verify import answer_faults, drawn_faults, least, record_faults

MIX = Mix(seed=3, offset=0, grid_sizes=(4,), atom_counts=(6,))

coordinates = st.one_of(st.integers(0, 3).map(float), st.floats(0, 3))
energies = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1))
rows = st.lists(st.tuples(coordinates, coordinates, coordinates, energies), min_size=1, max_size=5)


def by_fractions(size: int, atoms: np.ndarray[Any, Any]) -> tuple[float, Any] | None:
    """The least sum of the float64 terms, summed without any rounding but the last."""
    found = []
    for index in itertools.product(range(size), repeat=3):
        terms = []
        for x, y, z, energy in atoms.tolist():
            dx, dy, dz = index[0] - x, index[1] - y, index[2] - z
            r2 = dx * dx + dy * dy + dz * dz
            if r2 == 0:
                break
            terms.append(Fraction(energy / math.sqrt(r2)))
        else:
            found.append((float(sum(terms)), index))
    return min(found, default=None)


@given(st.integers(1, 4), rows)
def test_the_least_is_that_of_exact_fractions(size: int, given_rows: list[Any]) -> None:
    atoms = np.array(given_rows)

    assert least(size, atoms) == by_fractions(size, atoms)


def test_the_least_of_many_blocks_is_that_of_the_projects_own_oracle() -> None:
    rng = np.random.default_rng(5)
    atoms = rng.random((300, 4)) * [5, 5, 5, 2] - [0, 0, 0, 1]

    value = least(6, atoms)

    true = true_minimum(Problem(Grid.cube(6), Atoms.from_rows(atoms)))
    assert true is not None
    assert value == (true.value, Grid.cube(6).triple(true.index))


def test_of_equal_values_the_lowest_index_is_taken() -> None:
    # One positive atom in the middle: all eight corners are equally far.
    assert least(3, np.array([[1.0, 1.0, 1.0, 1.0]])) == (1 / math.sqrt(3), (0, 0, 0))


def test_there_is_no_least_where_an_atom_sits_on_every_point() -> None:
    assert least(1, np.array([[0.0, 0.0, 0.0, 1.0]])) is None


def a_job() -> tuple[Any, np.ndarray[Any, Any], dict[str, Any]]:
    wanted = request(MIX, 0)
    atoms = wanted.atoms()
    assert atoms is not None
    found = least(4, atoms)
    assert found is not None
    value, index = found
    job = {
        "grid": {"origin": [0.0] * 3, "spacing": [1.0] * 3, "shape": [4, 4, 4]},
        "atom_count": 6,
        "seed": None,
        "result": {"minimum": value, "index": list(index), "point": [float(i) for i in index]},
    }
    return wanted, atoms, job


def test_the_right_answer_has_no_fault() -> None:
    assert answer_faults(*a_job()) == []


@pytest.mark.parametrize("towards", [math.inf, -math.inf])
def test_a_value_one_ulp_off_is_a_fault(towards: float) -> None:
    wanted, atoms, job = a_job()
    job["result"]["minimum"] = math.nextafter(job["result"]["minimum"], towards)

    (fault,) = answer_faults(wanted, atoms, job)

    assert "minimum" in fault


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("result", "index"), [9, 9, 9]),
        (("result", "point"), [0.0, 0.0, 0.5]),
        (("result", "minimum"), None),
        (("result", "minimum"), "-1.0"),
        (("grid", "shape"), [4, 4, 5]),
        (("grid", "origin"), [1.0, 0.0, 0.0]),
        (("atom_count",), 7),
        (("seed",), 1),
        (("grid",), None),
    ],
)
def test_a_job_that_differs_in_any_part_has_one_fault(where: tuple[str, ...], value: Any) -> None:
    wanted, atoms, job = a_job()
    target = job
    for name in where[:-1]:
        target = target[name]
    target[where[-1]] = value

    (fault,) = answer_faults(wanted, atoms, job)

    assert fault.startswith(where[-1] if where[0] == "result" else where[0])


def test_atoms_that_the_service_cannot_have_drawn_are_a_fault() -> None:
    wanted, atoms, _ = a_job()
    outside, strong, same = atoms.copy(), atoms.copy(), np.repeat(atoms[:1], 6, axis=0)
    outside[0, 0], strong[0, 3] = 3.5, 1.0

    assert drawn_faults(wanted, atoms) == []
    for forged in (outside, strong, same, atoms[1:], atoms[:, :3]):
        assert len(drawn_faults(wanted, forged)) == 1


def test_a_record_of_other_atoms_or_another_result_is_a_fault() -> None:
    _, atoms, job = a_job()
    record = {
        "Grid size": [4, 4, 4],
        "Atom count": 6,
        "Atom values": atoms.tolist(),
        "Result": job["result"],
    }

    assert record_faults(atoms, job, record) == []
    for name in record:
        assert len(record_faults(atoms, job, {**record, name: None})) == 1


def test_a_seeded_request_is_told_apart_from_one_with_atoms() -> None:
    wanted, atoms, job = a_job()

    assert answer_faults(replace(wanted, seed=5), atoms, {**job, "seed": 5}) == []


def test_the_computation_shares_no_code_with_the_service() -> None:
    file = Path(workload_generator.__file__).with_name("verify.py")
    tree = ast.parse(file.read_text())

    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }

    ours = {name for name in imported if name.split(".")[0] in {"gridwell", "app_tier", "web_tier"}}
    assert ours == set()
