"""What a body asks for, and that all its faults are told together, each with its pointer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob
from gridwell.engine.limits import MAX_BODY_BYTES
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import random_atoms
from gridwell.kinds.grid.formats import csv_atoms, json_atoms, npy_atoms
from gridwell.kinds.grid.formats.atoms.json_atoms import atoms_in
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND
from tests.harness.grid_requests import read_job
from tests.harness.scaling import LINEAR, counted_calls, growth
from web_tier.api.request_body import NotJson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridwell.kinds.grid.problem import Problem

GRID = {"origin": [0, 0, 0], "spacing": [1, 1, 1], "shape": [2, 3, 4]}
ATOMS = [[0.5, 0.5, 0.5, -1], [1, 2, 3, 0.25]]


def read(body: Any) -> Problem:
    return read_job(json.dumps(body).encode()).problem


def faults(body: Any) -> dict[str, str]:
    text = body if isinstance(body, str) and body.startswith("{") else json.dumps(body)
    with pytest.raises(InvalidJob) as raised:
        read_job(text.encode())
    return {fault.pointer: fault.detail for fault in raised.value.faults}


def test_drawn_atoms_are_those_of_the_seed() -> None:
    asked = read_job(b'{"grid_size": 16, "atom_count": 50, "seed": 7}')

    assert (asked.seed, asked.kind) == (7, MINIMUM_KIND)
    assert asked.problem.grid == Grid.cube(16)
    assert asked.problem.atoms.sha() == random_atoms(50, seed=7, grid=Grid.cube(16)).sha()


def test_without_a_seed_it_is_zero_and_is_told() -> None:
    assert read_job(b'{"grid_size": 4, "atom_count": 5}').seed == 0


def test_the_energy_range_is_used() -> None:
    problem = read({"grid_size": 4, "atom_count": 50, "energy_range": [2, 3]})

    assert problem.atoms.energies.min() >= 2


def test_own_atoms_a_whole_grid_and_options_are_taken_as_they_are() -> None:
    body = {"grid": GRID, "atoms": ATOMS, "min_distance": 0.1, "softening": 1}

    asked = read_job(json.dumps(body).encode())

    problem = asked.problem
    assert asked.seed is None
    assert problem.grid.shape == (2, 3, 4)
    assert problem.atoms.rows().tolist() == ATOMS
    assert (problem.min_distance, problem.softening) == (0.1, 1.0)


def test_a_kept_map_is_another_kind_of_job_for_the_same_problem() -> None:
    body = {"grid_size": 4, "atoms": ATOMS}

    asked = read_job(json.dumps({**body, "keep_grid": True}).encode())

    assert asked.kind == MAP_KIND
    assert asked.problem.sha == read(body).sha


def test_a_map_that_is_too_large_to_keep_is_refused_with_the_remedy() -> None:
    body = {"grid_size": 646, "atom_count": 10_000, "keep_grid": True}

    told = faults(body)["/keep_grid"]

    assert f"a map of {646**3} points cannot be kept, at most one of {2**28}" in told
    assert "leave keep_grid out" in told
    pairs = faults({"grid_size": 300, "atom_count": 400_000, "keep_grid": True})["/keep_grid"]
    assert "takes 1.08e+13 pairs, more than 1e+13" in pairs
    assert read({**body, "keep_grid": False}).grid.points == 646**3


@pytest.mark.parametrize(("field", "value"), [("top", 2), ("place", {"count": 1, "energy": -1})])
def test_a_map_is_not_kept_of_several_points_or_of_ions(field: str, value: object) -> None:
    body = {"grid_size": 4, "atoms": ATOMS, field: value}

    told = faults({**body, "keep_grid": True})

    assert f"give either keep_grid or {field}, not both" in told["/keep_grid"]
    assert len(told) == 1
    assert read({**body, "keep_grid": False}).series is not None


def test_one_point_is_what_a_map_is_kept_of() -> None:
    body = {"grid_size": 4, "atoms": ATOMS, "keep_grid": True}

    asked = read_job(json.dumps({**body, "top": 1}).encode())

    assert asked.problem.sha == read(body).sha
    assert asked.kind == MAP_KIND


def test_null_is_the_same_as_left_out() -> None:
    with_null = {"grid_size": 4, "grid": None, "atoms": ATOMS, "seed": None, "softening": None}

    assert read(with_null).sha == read({"grid_size": 4, "atoms": ATOMS}).sha


def test_grid_size_and_the_same_grid_are_one_problem() -> None:
    cube = {"origin": [0, 0, 0], "spacing": [1, 1, 1], "shape": [4, 4, 4]}

    assert read({"grid_size": 4, "atoms": ATOMS}).sha == read({"grid": cube, "atoms": ATOMS}).sha


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"grid_size=4",
        b"\xff\xfe",
        b'"\\ud800"',
        b"[" * 100_000,
        b'{"grid_size": ' + b"1" * 5000 + b"}",
        b'{"atoms": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_json_is_refused_as_that(text: bytes) -> None:
    with pytest.raises(NotJson, match="not JSON"):
        read_job(text)


@pytest.mark.parametrize("body", [[], [1], 1, "text", True, None])
def test_json_that_is_no_object_is_a_fault_of_the_whole(body: Any) -> None:
    assert list(faults(body)) == [""]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/grid_size", "/atom_count"}),
        ({"grid_size": 4, "grid": GRID, "atoms": ATOMS}, {"/grid"}),
        ({"grid_size": 4, "atoms": ATOMS, "atom_count": 3}, {"/atoms"}),
        ({"grid_size": 4, "atoms": ATOMS, "seed": 3}, {"/seed"}),
        ({"grid_size": 4, "atoms": ATOMS, "energy_range": [0, 1]}, {"/energy_range"}),
        ({"grid_size": 4, "atom_count": 0}, {"/atom_count"}),
        ({"grid_size": 4, "atom_count": limits.MAX_ATOMS + 1}, {"/atom_count"}),
        ({"grid_size": 4, "atom_count": 5, "seed": -1}, {"/seed"}),
        ({"grid_size": 4, "atom_count": 5, "seed": 2**53}, {"/seed"}),
        ({"grid_size": 4, "atom_count": 5, "energy_range": [1, 0]}, {"/energy_range"}),
        ({"grid_size": 4, "atom_count": 5, "energy_range": [1]}, {"/energy_range"}),
        ({"grid_size": 4, "atom_count": 5, "energy_range": [0, 1e31]}, {"/energy_range/1"}),
        ({"grid_size": 0, "atoms": ATOMS}, {"/grid_size"}),
        ({"grid_size": 1291, "atoms": ATOMS}, {"/grid_size"}),
        ({"grid_size": 65_537, "atoms": ATOMS}, {"/grid_size"}),
        ({"grid_size": 4.0, "atoms": ATOMS}, {"/grid_size"}),
        ({"grid_size": True, "atoms": ATOMS}, {"/grid_size"}),
        ({"grid_size": "4", "atoms": ATOMS}, {"/grid_size"}),
        ({"grid_size": 4, "atoms": ATOMS, "gridsize": 4}, {"/gridsize"}),
        ({"grid_size": 4, "atoms": ATOMS, "a/b~c": 4}, {"/a~1b~0c"}),
        ({"grid_size": 4, "atoms": ATOMS, "min_distance": -1}, {"/min_distance"}),
        ({"grid_size": 4, "atoms": ATOMS, "softening": True}, {"/softening"}),
        ({"grid_size": 4, "atoms": ATOMS, "keep_grid": 1}, {"/keep_grid"}),
        ({"grid_size": 4, "atoms": []}, {"/atoms"}),
        ({"grid_size": 4, "atoms": {}}, {"/atoms"}),
        ({"grid_size": 4, "atoms": "CO2"}, {"/atoms"}),
        ({"grid_size": 4, "atoms": [1, 2, 3, 4]}, {f"/atoms/{k}" for k in range(4)}),
        ({"grid_size": 4, "atoms": [[1, 2, 3]]}, {"/atoms/0"}),
        ({"grid_size": 4, "atoms": [[1, 2, 3, True]]}, {"/atoms/0/3"}),
        ({"grid_size": 4, "atoms": [[1, 2, "3", None]]}, {"/atoms/0/2", "/atoms/0/3"}),
        ({"grid_size": 4, "atoms": [[1, [2], 3, 4]]}, {"/atoms/0/1"}),
        ({"grid_size": 4, "atoms": [[2e9, 2, 3, 1e-31]]}, {"/atoms/0/0", "/atoms/0/3"}),
        ({"grid_size": 4, "atoms": [[10**400, 2, 3, 1]]}, {"/atoms/0/0"}),
        ({"grid": [], "atoms": ATOMS}, {"/grid"}),
        ({"grid": {}, "atoms": ATOMS}, {"/grid/origin", "/grid/spacing", "/grid/shape"}),
        ({"grid": {**GRID, "shape": [0, 1, 70_000]}, "atoms": ATOMS},
         {"/grid/shape/0", "/grid/shape/2"}),
        ({"grid": {**GRID, "shape": [60_000] * 3}, "atoms": ATOMS}, {"/grid/shape"}),
        ({"grid": {**GRID, "origin": [2e9, 0, None]}, "atoms": ATOMS}, {"/grid/origin/2"}),
        ({"grid": {**GRID, "spacing": [0, 1, -1]}, "atoms": ATOMS},
         {"/grid/spacing/0", "/grid/spacing/2"}),
        ({"grid": {**GRID, "origin": [10**400, 0, 0]}, "atoms": ATOMS}, {"/grid/origin/0"}),
        ({"grid": {**GRID, "unit": "nm"}, "atoms": ATOMS}, {"/grid/unit"}),
    ],
)  # fmt: skip
def test_each_fault_has_its_pointer(body: Any, pointers: set[str]) -> None:
    found = faults(body)

    assert set(found) == pointers
    assert all(found.values())


def test_faults_of_all_parts_are_told_together() -> None:
    body = {
        "grid": {"origin": ["a", 0, 0], "spacing": [0, 1, 1], "shape": [1, 1], "x": 1},
        "atoms": [[1, 2, 3]],
        "seed": 1,
        "min_distance": -1,
        "softening": "soft",
        "colour": "red",
    }

    assert set(faults(body)) == {
        "/grid/origin/0", "/grid/spacing/0", "/grid/shape", "/grid/x",
        "/atoms/0", "/seed", "/min_distance", "/softening", "/colour",
    }  # fmt: skip


def test_the_atoms_of_a_faulty_grid_are_judged_all_the_same() -> None:
    assert set(faults({"grid_size": 0, "atom_count": 0})) == {"/grid_size", "/atom_count"}


def test_numbers_beyond_float64_are_faults_with_a_pointer() -> None:
    body = '{"grid_size": 4, "atoms": [[1, 2, 3, 1e999], [-1e999, 0, 0, 1]], "softening": 1e999}'

    assert set(faults(body)) == {"/atoms/0/3", "/atoms/1/0", "/softening"}


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_a_fault_with_a_pointer_wherever_it_stands(odd: str) -> None:
    grid = '{"origin": [0, ODD, 0], "spacing": [ODD, 1, 1], "shape": [2, 2, ODD]}'
    own = f'{{"grid": {grid}, "atoms": [[ODD, 0, 0, 1], [1, 2, 3, ODD]], "softening": ODD}}'
    drawn = '{"grid_size": ODD, "atom_count": ODD, "seed": ODD, "energy_range": [ODD, 0]}'

    assert set(faults(own.replace("ODD", odd))) == {
        *("/grid/origin/1", "/grid/spacing/0", "/grid/shape/2"),
        *("/atoms/0/0", "/atoms/1/3", "/softening"),
    }
    assert set(faults(drawn.replace("ODD", odd))) - {"/energy_range"} == {
        *("/grid_size", "/atom_count", "/seed", "/energy_range/0"),
    }


def test_a_wrong_unit_in_every_atom_is_told_a_few_times_and_summed_up() -> None:
    found = faults({"grid_size": 4, "atoms": [["1", 2, 3, 4]] * 1000})

    assert len(found) == 21
    assert "more values are faulty" in found["/atoms"]


def body_of_atoms(count: int) -> tuple[bytes, NDArray[np.float64]]:
    table = np.random.default_rng(1).uniform(-999, 999, (count, 4)).round(6)
    rows = json.dumps(table.tolist(), separators=(",", ":"))
    return f'{{"grid_size":8,"atoms":{rows}}}'.encode(), table


def test_as_many_atoms_as_may_be_fit_into_a_body_and_are_read_without_a_call_for_each() -> None:
    count = limits.MAX_ATOMS // 5  # a fifth, as a busy machine takes a minute to write them all
    body, table = body_of_atoms(count)
    assert len(body) < MAX_BODY_BYTES / 5

    with counted_calls() as calls:
        problem = read_job(body).problem

    assert calls.count < count / 100
    assert np.array_equal(problem.atoms.rows(), table)


def test_the_cost_of_atoms_is_proportional_to_their_number() -> None:
    assert growth(read_job, lambda count: body_of_atoms(count)[0], 10_000) < LINEAR


@settings(max_examples=50)
@given(
    rows=st.lists(
        st.tuples(
            *[st.floats(-1e9, 1e9)] * 3,
            st.one_of(st.just(0.0), st.floats(1e-30, 1e30), st.floats(-1e30, -1e-30)),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_atoms_come_back_bit_by_bit_in_each_form(rows: list[tuple[float, ...]]) -> None:
    atoms = atoms_in([list(row) for row in rows])

    again = atoms_in(json.loads(b"".join(json_atoms(atoms)))["atoms"])
    lines = b"".join(csv_atoms(atoms)).decode().split("\r\n")
    assert again.sha() == atoms.sha()
    assert lines[0] == "x,y,z,energy"
    assert atoms_in([[float(v) for v in line.split(",")] for line in lines[1:-1]]).sha() == (
        atoms.sha()
    )
    assert b"".join(npy_atoms(atoms)).startswith(b"\x93NUMPY")


def test_more_atoms_than_one_piece_are_written_without_a_seam() -> None:
    atoms = random_atoms(25_000, seed=1, grid=Grid.cube(10))

    assert atoms_in(json.loads(b"".join(json_atoms(atoms)))["atoms"]).sha() == atoms.sha()
    assert len(b"".join(csv_atoms(atoms)).splitlines()) == 25_001


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=15,
)
NAMES = ("grid_size", "grid", "atom_count", "seed", "energy_range", "atoms", "min_distance", "x")


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), json_values)
    | st.fixed_dictionaries(
        {
            "grid": st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("origin", "spacing", "shape", "q"), json_values)
            ),
            "atoms": st.lists(st.lists(json_values, min_size=3, max_size=5), max_size=4),
        }
    )
)
def test_no_json_makes_reading_fail_otherwise_than_by_faults(body: dict[str, Any]) -> None:
    if isinstance(body.get("atom_count"), int) and body["atom_count"] > 1000:
        body["atom_count"] = 1000
    try:
        problem = read(body)
    except InvalidJob as error:
        assert all(fault.detail for fault in error.faults)  # noqa: PT017 - it need not be raised
    except NotJson:
        pass  # a lone surrogate, or an integer of thousands of digits
    else:
        assert problem.sha
