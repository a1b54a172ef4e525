"""Where points are, how they are numbered, and what no grid may be."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.grid import Box, Grid
from tests.kinds.grid.strategies import grids

ORIGIN = (0.0, 0.0, 0.0)
SPACING = (1.0, 1.0, 1.0)
SHAPE = (2, 3, 4)


def pointers(**changes: Any) -> list[str]:
    values: dict[str, Any] = {"origin": ORIGIN, "spacing": SPACING, "shape": SHAPE, **changes}
    with pytest.raises(InvalidJob) as raised:
        Grid(**values)
    return [fault.pointer for fault in raised.value.faults]


def test_a_cube_has_integer_coordinates_from_zero() -> None:
    grid = Grid.cube(3)

    assert grid.points == 27
    assert [grid.axis(k).tolist() for k in range(3)] == [[0.0, 1.0, 2.0]] * 3


def test_points_are_numbered_with_z_fastest() -> None:
    grid = Grid(ORIGIN, SPACING, SHAPE)

    triples = list(itertools.product(range(2), range(3), range(4)))

    assert [grid.triple(index) for index in range(grid.points)] == triples
    assert [grid.linear(*triple) for triple in triples] == list(range(grid.points))


def test_the_origin_is_the_first_point() -> None:
    grid = Grid((1.0, -2.0, 0.5), (0.5, 0.25, 2.0), SHAPE)

    assert grid.point(0) == (1.0, -2.0, 0.5)
    assert grid.point(grid.points - 1) == (1.5, -1.5, 6.5)


@given(grids, st.data())
def test_a_point_lies_where_its_axes_say_to_the_last_bit(grid: Grid, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, grid.points - 1))

    point = grid.point(index)

    assert point == tuple(float(grid.axis(k)[step]) for k, step in enumerate(grid.triple(index)))
    assert grid.linear(*grid.triple(index)) == index


def test_a_product_and_a_sum_are_each_rounded_once() -> None:
    grid = Grid((0.1, 0.0, 0.0), (0.1, 1.0, 1.0), (4, 1, 1))

    assert grid.axis(0).tolist() == [0.1, 0.2, 0.1 + 0.2, 0.1 + 0.1 * 3]


def test_the_box_of_a_grid_holds_every_point() -> None:
    assert Grid(ORIGIN, SPACING, SHAPE).box == Box((0, 0, 0), SHAPE)
    assert Box((1, 1, 1), (2, 3, 5)).shape == (1, 2, 4)
    assert Box((1, 1, 1), (2, 3, 5)).points == 8


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1.0000001e9, -1e300])
def test_an_origin_outside_the_limits_is_pointed_at(bad: float) -> None:
    assert pointers(origin=(0.0, bad, 0.0)) == ["/grid/origin/1"]


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, 9e-10, 1.1e9])
def test_a_spacing_outside_the_limits_is_pointed_at(bad: float) -> None:
    assert pointers(spacing=(1.0, 1.0, bad)) == ["/grid/spacing/2"]


@pytest.mark.parametrize("bad", [0, -1, limits.MAX_AXIS + 1])
def test_an_axis_outside_the_limits_is_pointed_at(bad: int) -> None:
    assert "/grid/shape/0" in pointers(shape=(bad, 1, 1))


def test_too_many_points_are_refused_with_their_number() -> None:
    with pytest.raises(InvalidJob, match=r"/grid/shape: 4294967296 points are more than"):
        Grid(ORIGIN, SPACING, (65_536, 65_536, 1))


def test_the_limits_themselves_are_allowed() -> None:
    far, fine = limits.MAX_COORDINATE, limits.MIN_SPACING

    grid = Grid((far, -far, far), (fine, limits.MAX_SPACING, fine), (65_536, 32_768, 1))

    assert grid.points == limits.MAX_POINTS


def test_all_faults_of_a_grid_are_told_together() -> None:
    found = pointers(origin=(math.nan, 0.0, 0.0), spacing=(1.0, 0.0, 1.0), shape=(1, 0, 1))

    assert found == ["/grid/origin/0", "/grid/spacing/1", "/grid/shape/1"]
