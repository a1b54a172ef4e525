"""A problem is known by its sha, and its file is believed only if it holds that problem."""

from __future__ import annotations

import io
import json
import math
import pickle
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob, InvalidMessage
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from tests.harness.builders import a_problem, atoms_at
from tests.kinds.grid.strategies import problems, series

PROBLEM = a_problem(3, atoms=4)
FILE = PROBLEM.encode()


def rewritten(**changes: Any) -> bytes:
    """The file of `PROBLEM` with other values in its header, or other arrays."""
    with np.load(io.BytesIO(FILE)) as file:
        header = json.loads(file["header"].tobytes())
        atoms = changes.pop("atoms", file["atoms"])
    header.update(changes)
    out = io.BytesIO()
    np.savez(out, header=np.frombuffer(json.dumps(header).encode(), np.uint8), atoms=atoms)
    return out.getvalue()


# --- identity


def test_the_sha_of_a_known_problem_never_changes() -> None:
    problem = a_problem(16, atoms=1000, seed=7)

    assert problem.sha == "3b264cf415143ddb99c661d5c3335ced2d8d2e893658ca520b839a8551b88980"


def test_every_option_that_changes_the_answer_changes_the_sha() -> None:
    grid, atoms = PROBLEM.grid, PROBLEM.atoms
    others = [
        Problem(replace(grid, origin=(0.0, 0.0, 1.0)), atoms),
        Problem(replace(grid, spacing=(1.0, 1.0, 2.0)), atoms),
        Problem(replace(grid, shape=(3, 3, 4)), atoms),
        Problem(grid, Atoms.from_rows(atoms.rows()[::-1])),
        Problem(grid, Atoms.from_rows(atoms.rows()[:-1])),
        Problem(grid, atoms, min_distance=0.5),
        Problem(grid, atoms, softening=0.5),
        Problem(grid, atoms, series=Series(2)),
        Problem(grid, atoms, series=Series(3)),
        Problem(grid, atoms, series=Series(3, 1.0)),
        Problem(grid, atoms, series=Series(1, 0.0, 1)),
        Problem(grid, atoms, series=Series(1, 0.0, -1)),
    ]

    assert len({PROBLEM.sha, *(other.sha for other in others)}) == len(others) + 1


def test_the_hint_is_not_part_of_the_identity() -> None:
    assert replace(PROBLEM, incumbent=5).sha == PROBLEM.sha


def test_negative_zero_and_whole_numbers_are_not_another_problem() -> None:
    atoms = atoms_at((0.0, 1.0, 2.0, 1.0))
    plain = Problem(Grid.cube(2), atoms)
    grid = Grid((-0.0, 0, 0), (1, 1, 1), (2, 2, 2))

    same = Problem(grid, atoms_at((-0.0, 1, 2, 1)), min_distance=-0.0, softening=0)

    assert same.sha == plain.sha
    assert same.encode() == plain.encode()


def test_the_work_is_points_times_atoms() -> None:
    assert PROBLEM.pairs == 27 * 4


@pytest.mark.parametrize("name", ["min_distance", "softening"])
@pytest.mark.parametrize("bad", [-1.0, -5e-324, math.nan, math.inf, 1.1e9])
def test_an_option_outside_the_limits_is_pointed_at(name: str, bad: float) -> None:
    options: dict[str, Any] = {name: bad}

    with pytest.raises(InvalidJob, match=f"/{name}: "):
        Problem(PROBLEM.grid, PROBLEM.atoms, **options)


def test_both_faulty_options_are_told_together() -> None:
    with pytest.raises(InvalidJob) as raised:
        replace(PROBLEM, min_distance=-1.0, softening=math.inf)

    assert [fault.pointer for fault in raised.value.faults] == ["/min_distance", "/softening"]


@pytest.mark.parametrize("bad", [5e-324, 1e-300, 9e-31])
def test_a_softening_so_small_that_terms_overflow_is_refused(bad: float) -> None:
    with pytest.raises(InvalidJob, match=r"/softening: .* is neither 0 nor"):
        replace(PROBLEM, softening=bad)


@pytest.mark.parametrize("bad", [-1, 27])
def test_a_hint_outside_the_grid_is_refused(bad: int) -> None:
    with pytest.raises(InvalidJob, match=f"/incumbent: {bad} is not a point"):
        replace(PROBLEM, incumbent=bad)


# --- the file


@given(problems, st.data())
@settings(max_examples=50)
def test_a_problem_survives_its_file(problem: Problem, data: st.DataObject) -> None:
    hint = data.draw(st.none() | st.integers(0, problem.grid.points - 1))
    problem = replace(problem, incumbent=hint)

    read = Problem.decode(problem.encode(), sha=problem.sha)

    assert read.sha == problem.sha
    assert read.grid == problem.grid
    assert read.atoms.rows().tobytes() == problem.atoms.rows().tobytes()
    assert (read.min_distance, read.softening) == (problem.min_distance, problem.softening)
    assert read.incumbent == hint


def test_equal_problems_have_equal_bytes_whenever_they_are_written() -> None:
    assert a_problem(3, atoms=4).encode() == FILE
    with zipfile.ZipFile(io.BytesIO(FILE)) as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_file_under_another_name_is_refused() -> None:
    other = a_problem(3, atoms=4, seed=2)

    with pytest.raises(InvalidMessage, match=f"holds problem {PROBLEM.sha}"):
        Problem.decode(FILE, sha=other.sha)


@pytest.mark.parametrize("length", [0, 1, 4, 100, len(FILE) // 2, len(FILE) - 1])
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(InvalidMessage, match="cannot be read"):
        Problem.decode(FILE[:length], sha=PROBLEM.sha)


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="cannot be read"):
        Problem.decode(data, sha=PROBLEM.sha)


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_a_damaged_byte_is_noticed_or_changes_nothing(place: int, change: int) -> None:
    damaged = bytearray(FILE)
    damaged[place] ^= change

    try:
        read = Problem.decode(bytes(damaged), sha=PROBLEM.sha)
    except InvalidMessage:
        return
    assert read.sha == PROBLEM.sha


LOADED: list[str] = []


class Trap:
    """Writes down that it was unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return LOADED.append, ("a trap",)


def test_a_pickle_is_never_loaded() -> None:
    table = np.empty(1, dtype=object)
    table[0] = Trap()

    for data in (pickle.dumps(Trap()), rewritten(atoms=table)):
        with pytest.raises(InvalidMessage, match="allow_pickle"):
            Problem.decode(data, sha=PROBLEM.sha)

    assert LOADED == []


def test_an_array_alone_is_refused() -> None:
    out = io.BytesIO()
    np.save(out, PROBLEM.atoms.rows())

    with pytest.raises(InvalidMessage, match="cannot be read"):
        Problem.decode(out.getvalue(), sha=PROBLEM.sha)


def test_a_zip_of_other_things_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("header", "text")
        file.writestr("atoms", "text")

    with pytest.raises(InvalidMessage, match="cannot be read"):
        Problem.decode(out.getvalue(), sha=PROBLEM.sha)


def test_a_problem_of_a_newer_formula_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidMessage, match=r"of formula 2.*another one is needed"):
        Problem.decode(rewritten(formula=2), sha=PROBLEM.sha)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [3, 3]},
        {"shape": [3, 3, 3.0]},
        {"shape": ["3", 3, 3]},
        {"shape": None},
        {"origin": [0.0, 0.0, 1.0]},
        {"min_distance": 0.5},
        {"softening": None},
        {"softening": math.nan},
        {"incumbent": -1},
        {"incumbent": 27},
        {"incumbent": "1"},
        {"incumbent": 1.5},
        {"atoms": np.ones((4, 3))},
        {"atoms": np.ones((4, 4))},
        {"atoms": np.full((4, 4), math.nan)},
        {"atoms": np.array(["a"])},
    ],
)
def test_a_forged_file_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage):
        Problem.decode(rewritten(**changes), sha=PROBLEM.sha)


def test_the_rewriting_of_these_tests_is_faithful() -> None:
    assert Problem.decode(rewritten(), sha=PROBLEM.sha).sha == PROBLEM.sha


# --- series


@given(series)
def test_a_stored_series_is_read_as_it_was_written(wanted: Series) -> None:
    problem = a_problem(3, atoms=4, series=wanted)

    read = Problem.decode(problem.encode(), sha=problem.sha)

    assert (read.series, read.sha) == (wanted, problem.sha)


def test_one_point_without_an_ion_is_no_series() -> None:
    assert Problem(PROBLEM.grid, PROBLEM.atoms, series=Series(1, 5.0)).sha == PROBLEM.sha


@pytest.mark.parametrize(
    "other", [[2], [2, 1.0, 5], ["2", 1.0, 0], [0, 1.0, 0], "series", [2.0, 1, 0]]
)
def test_a_strange_series_is_no_problem_of_ours(other: Any) -> None:
    with pytest.raises(InvalidMessage):
        Problem.decode(rewritten(series=other), sha=PROBLEM.sha)


def test_ions_must_find_room_among_the_atoms() -> None:
    atoms = Atoms(np.zeros((999_999, 3)), np.ones(999_999))

    with pytest.raises(InvalidJob, match="/place/count: 2 ions and 999999 atoms are more than"):
        Problem(PROBLEM.grid, atoms, series=Series(2, 0.0, 1))


def test_ions_are_placed_only_where_atoms_may_be() -> None:
    grid = Grid((0.0, 0.0, 1e9), (1.0, 1.0, 1.0), (2, 2, 2))

    with pytest.raises(InvalidJob, match=r"/grid: the grid reaches to 1000000001\.0"):
        Problem(grid, PROBLEM.atoms, series=Series(2, 0.0, 1))
