"""A grid around atoms: it covers them and the margin, and no more."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.formats import fit
from tests.kinds.grid.strategies import atoms


def test_the_first_point_lies_a_margin_before_the_least_coordinate() -> None:
    two = Atoms.from_rows([[0.0, 0.0, 0.0, 1.0], [1.0, 2.0, 3.25, -1.0]])

    grid = fit(two, spacing=0.5, margin=1.0)

    assert grid.origin == (-1.0, -1.0, -1.0)
    assert grid.spacing == (0.5, 0.5, 0.5)
    assert grid.shape == (7, 9, 12)


def test_one_atom_without_a_margin_is_one_point() -> None:
    assert fit(Atoms.from_rows([[1, 2, 3, 1]]), spacing=1, margin=0).shape == (1, 1, 1)


@given(atoms, st.floats(1e-3, 1e9), st.floats(0, 1e3))
def test_the_grid_covers_atoms_and_margin_by_less_than_a_spacing(
    some: Atoms, spacing: float, margin: float
) -> None:
    try:
        grid = fit(some, spacing=spacing, margin=margin)
    except InvalidJob as error:
        pointers = {fault.pointer for fault in error.faults}
        assert pointers <= {"/fit/spacing", "/grid/origin/0", "/grid/origin/1", "/grid/origin/2"}
        return

    for k in range(3):
        low = float(some.positions[:, k].min()) - margin
        high = float(some.positions[:, k].max()) + margin
        axis = grid.axis(k)
        assert axis[0] == low
        assert axis[-1] >= high
        assert len(axis) == 1 or axis[-2] < high


@given(atoms, st.floats(limits.MIN_SPACING, 1.0), st.floats(0, 1e6))
def test_the_spacing_that_an_error_names_would_do_and_hardly_a_finer_one(
    some: Atoms, spacing: float, margin: float
) -> None:
    detail = refusal(some, spacing, margin)
    assume(detail is not None and "would do" in detail)
    assert detail is not None
    named = float(detail.split("a spacing of ")[2].split(" would do")[0])

    again, finer = refusal(some, named, margin), refusal(some, named * 0.98, margin)

    assert again is None or "shift the coordinates" in again
    assert finer is not None


def refusal(some: Atoms, spacing: float, margin: float) -> str | None:
    """Why there is no such grid."""
    try:
        fit(some, spacing=spacing, margin=margin)
    except InvalidJob as error:
        return error.faults[0].detail
    return None


@pytest.mark.parametrize(
    ("spacing", "margin", "pointers"),
    [
        (0.0, 1.0, ["/fit/spacing"]),
        (-1.0, -1.0, ["/fit/spacing", "/fit/margin"]),
        (math.nan, math.nan, ["/fit/spacing", "/fit/margin"]),
        (math.inf, math.inf, ["/fit/spacing", "/fit/margin"]),
    ],
)
def test_spacing_and_margin_outside_the_limits_are_refused(
    spacing: float, margin: float, pointers: list[str]
) -> None:
    with pytest.raises(InvalidJob) as raised:
        fit(Atoms.from_rows([[0, 0, 0, 1]]), spacing=spacing, margin=margin)

    assert [fault.pointer for fault in raised.value.faults] == pointers
