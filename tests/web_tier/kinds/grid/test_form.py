"""From the form of a new job to a problem, or to faults at their fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid.atoms import random_atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND
from gridwell.kinds.grid.series import Series
from web_tier.kind import Upload
from web_tier.kinds.grid.examples import EXAMPLES
from web_tier.kinds.grid.form import (
    DEFAULTS,
    EXAMPLE,
    FILE,
    RANDOM,
    Form,
    filled,
    read_form,
    with_faults,
)

CSV = b"x,y,z,charge\n0,0,0,-1\n1,2,3,0.5\n"


def faults(upload: Upload | None = None, **given: str) -> Form:
    values = filled(given)
    with pytest.raises(InvalidJob) as caught:
        read_form(values, upload)
    return with_faults(values, caught.value)


def test_the_form_works_as_it_stands() -> None:
    asked = read_form(DEFAULTS, None)

    problem = asked.problem
    assert problem.atoms.count == EXAMPLES[DEFAULTS["example"]].atoms.count
    assert problem.min_distance == 2.0
    assert (asked.seed, asked.kind) == (None, MINIMUM_KIND)


def test_random_atoms_are_those_of_the_interface() -> None:
    asked = read_form(filled({"source": RANDOM, "seed": "7", "grid_size": "9"}), None)

    problem = asked.problem
    assert asked.seed == 7
    assert problem.grid == Grid.cube(9)
    assert problem.atoms.sha() == random_atoms(200, seed=7, grid=Grid.cube(9)).sha()


def test_a_file_gets_a_grid_that_fits_its_atoms() -> None:
    values = filled({"source": FILE, "spacing": "0.25", "margin": "1.5"})

    problem = read_form(values, Upload("two.csv", CSV)).problem

    assert problem.atoms.rows().tolist() == [[0, 0, 0, -1], [1, 2, 3, 0.5]]
    assert problem.grid.origin == (-1.5, -1.5, -1.5)
    assert problem.grid.shape == (17, 21, 25)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_a_problem(name: str) -> None:
    problem = read_form(filled({"source": EXAMPLE, "example": name}), None).problem

    assert problem.grid.points > 1000


@pytest.mark.parametrize("source", [RANDOM, EXAMPLE])
def test_a_ticked_box_keeps_the_map(source: str) -> None:
    assert read_form(filled({"source": source, "keep_grid": "on"}), None).kind == MAP_KIND


def test_a_map_that_is_too_large_is_told_at_its_box() -> None:
    drawn = faults(source=RANDOM, grid_size="1000", keep_grid="on")
    around_an_example = faults(source=EXAMPLE, spacing="0.02", keep_grid="on")

    for form in (drawn, around_an_example):
        assert "cannot be kept" in form.faults["keep_grid"]


@pytest.mark.parametrize("source", [RANDOM, EXAMPLE, FILE])
@pytest.mark.parametrize(("energy", "field"), [("0", "top"), ("1", "place")])
def test_a_map_of_several_points_is_refused_at_its_box(
    source: str, energy: str, field: str
) -> None:
    upload = Upload("two.csv", CSV)

    form = faults(upload, source=source, count="2", energy=energy, keep_grid="on")

    assert set(form.faults) == {"keep_grid"}
    assert f"give either keep_grid or {field}" in form.faults["keep_grid"]


def test_a_map_of_an_example_that_places_ions_is_kept_once_one_point_is_asked_for() -> None:
    form = faults(source=EXAMPLE, example="helix", keep_grid="on")
    asked = read_form(
        filled({"source": EXAMPLE, "example": "helix", "count": "1", "keep_grid": "on"}), None
    )

    assert set(form.faults) == {"keep_grid"}
    assert (asked.kind, asked.problem.series) == (MAP_KIND, None)


def test_all_faults_are_told_at_once_each_at_its_field() -> None:
    form = faults(source=RANDOM, grid_size="6x", seed="-1", softening="")

    assert set(form.faults) == {"grid_size", "seed"}
    assert "6x" in form.faults["grid_size"]
    assert form.others == ()


def test_numbers_that_are_none_are_told_at_their_fields() -> None:
    form = faults(spacing="half", margin="1e999", min_distance="nan")

    assert set(form.faults) == {"spacing", "margin", "min_distance"}


def test_faults_of_a_file_are_told_at_the_file() -> None:
    broken = Upload("b.csv", b"x,y,z,charge\n0,0,zero,-1\n")

    assert "line 2" in faults(broken, source=FILE).faults["file"]
    assert "choose a file" in faults(None, source=FILE).faults["file"]
    assert "e.csv: the file is empty" in faults(Upload("e.csv", b""), source=FILE).faults["file"]


def test_a_fault_of_a_file_without_lines_names_its_row() -> None:
    json = Upload("a.json", b"[[0, 0, 0, 1], [0, 1e999, 0, 1]]")

    assert "a.json: atoms[1]: the coordinate y = inf" in faults(json, source=FILE).faults["file"]


def test_what_was_read_of_a_file_is_told_with_its_notes() -> None:
    xyz = Upload("a.xyz", b"1\n\nC 0 0 0 1\n1\n\nC 0 0 0 1\n")

    read = read_form(filled({"source": FILE}), xyz).read

    assert read.startswith("XYZ, 1 atom of charge 1, 2 other lines; 2 lines after the first frame")


def test_a_grid_that_is_too_large_is_told_at_the_spacing() -> None:
    assert "spacing" in faults(spacing="1e-6").faults


def test_a_source_and_an_example_that_do_not_exist_are_told() -> None:
    assert faults(source="nowhere").others
    assert "none of" in faults(example="gold").others[0]


@given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), st.text(max_size=12)))
def test_whatever_is_typed_is_a_problem_or_a_fault(typed: dict[str, str]) -> None:
    values = filled({**typed, "grid_size": "4"})
    try:
        read_form(values, Upload("f.csv", CSV))
    except InvalidJob as error:
        form = with_faults(values, error)
        assert form.faults or form.others


def test_the_example_of_dna_places_six_sodium_ions_by_itself() -> None:
    problem = read_form(filled({"source": EXAMPLE, "example": "helix"}), None).problem

    assert problem.series == Series(6, 5.0, 1)


@pytest.mark.parametrize("source", [EXAMPLE, RANDOM, FILE])
def test_the_form_asks_for_points_and_for_ions(source: str) -> None:
    upload = Upload("two.csv", CSV)
    points = filled({"source": source, "count": "4", "min_separation": "1.5"})

    top = read_form(points, upload).problem
    ions = read_form(points | {"energy": "-1"}, upload).problem

    assert top.series == Series(4, 1.5)
    assert ions.series == Series(4, 1.5, -1)


@pytest.mark.parametrize("source", [EXAMPLE, RANDOM])
@pytest.mark.parametrize("energy", ["0", "1"])
def test_faults_of_a_series_are_told_at_their_fields(source: str, energy: str) -> None:
    form = faults(source=source, count="201", energy=energy, min_separation="-1")

    assert set(form.faults) <= {"count", "min_separation"}
    assert form.faults
    assert form.others == ()
