"""A plan's chunks cover every point once, and are as cubic as can be."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gridwell.engine import limits
from gridwell.engine.errors import InvalidMessage
from gridwell.kinds.grid.chunking import Chunking, split
from tests.kinds.grid.strategies import plan_shapes

wanted = st.integers(1, limits.MAX_CHUNKS)
small_shapes = st.tuples(*[st.integers(1, 12)] * 3)


def parts_of(plan: Chunking) -> tuple[int, ...]:
    return tuple(len(cuts) - 1 for cuts in plan.cuts)


@given(small_shapes, wanted)
def test_chunks_cover_every_point_once(shape: tuple[int, int, int], chunks: int) -> None:
    plan = split(shape, chunks)

    seen = np.zeros(shape, dtype=np.int64)
    for chunk in range(plan.chunks):
        box = plan.box(chunk)
        seen[tuple(slice(a, b) for a, b in zip(box.low, box.high, strict=True))] += 1
        assert box.points >= 1

    assert (seen == 1).all()


@given(plan_shapes, wanted)
def test_the_points_of_the_chunks_are_those_of_the_grid(
    shape: tuple[int, int, int], chunks: int
) -> None:
    plan = split(shape, chunks)

    assert plan.points(range(plan.chunks)) == math.prod(shape)


@given(small_shapes, wanted, st.data())
def test_the_points_of_some_chunks_are_those_of_their_boxes(
    shape: tuple[int, int, int], chunks: int, data: st.DataObject
) -> None:
    plan = split(shape, chunks)
    some = data.draw(st.frozensets(st.integers(0, plan.chunks - 1)))

    assert plan.points(some) == sum(plan.box(chunk).points for chunk in some)


@given(plan_shapes, wanted)
@example((1, 1, 1), 256)
@example((65_536, 1, 1), 256)
@example((5, 7, 9), 256)
def test_there_are_enough_chunks_but_never_too_many(
    shape: tuple[int, int, int], chunks: int
) -> None:
    plan = split(shape, chunks)

    assert plan.chunks <= limits.MAX_CHUNKS
    if plan.chunks < chunks:
        # Every axis is in single points, or one more cut of it would be too many chunks.
        for length, count in zip(shape, parts_of(plan), strict=True):
            cut = plan.chunks // count * min(2 * count, length)
            assert count == length or cut > limits.MAX_CHUNKS
        assert 2 * plan.chunks > min(chunks, math.prod(shape))


@given(plan_shapes, wanted)
def test_there_are_fewer_than_twice_the_chunks_wanted(
    shape: tuple[int, int, int], chunks: int
) -> None:
    assert split(shape, chunks).chunks < 2 * chunks


@given(plan_shapes, st.integers(1, limits.MAX_CHUNKS // 2))
def test_no_axis_is_cut_while_another_has_longer_pieces(
    shape: tuple[int, int, int], chunks: int
) -> None:
    parts = parts_of(split(shape, chunks))

    pieces = [length / count for length, count in zip(shape, parts, strict=True)]

    for piece, count in zip(pieces, parts, strict=True):
        assert count == 1 or 2 * piece >= max(pieces)


@given(plan_shapes, wanted)
def test_pieces_of_an_axis_differ_by_one_point_at_most(
    shape: tuple[int, int, int], chunks: int
) -> None:
    for cuts in split(shape, chunks).cuts:
        lengths = {b - a for a, b in itertools.pairwise(cuts)}
        assert max(lengths) - min(lengths) <= 1


def test_a_cube_in_eight_is_eight_cubes() -> None:
    plan = split((16, 16, 16), 8)

    assert {plan.box(chunk).shape for chunk in range(plan.chunks)} == {(8, 8, 8)}


def test_one_chunk_is_the_whole_grid() -> None:
    assert split((3, 4, 5), 1) == Chunking(((0, 3), (0, 4), (0, 5)))


def test_chunks_are_numbered_in_c_order() -> None:
    plan = Chunking(((0, 1, 2), (0, 2), (0, 1, 2, 3)))

    lows = [plan.box(chunk).low for chunk in range(plan.chunks)]

    assert lows == sorted(lows)
    assert lows[:4] == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 0)]


@pytest.mark.parametrize("chunk", [-1, 8, 1000])
def test_a_chunk_that_is_not_there_is_refused(chunk: int) -> None:
    with pytest.raises(InvalidMessage, match=f"chunk {chunk} is not one of the plan's 8"):
        split((4, 4, 4), 8).box(chunk)


@given(plan_shapes, wanted)
def test_a_plan_survives_its_way_through_json(shape: tuple[int, int, int], chunks: int) -> None:
    plan = split(shape, chunks)

    read = Chunking.decode(json.loads(json.dumps(plan.encode())))

    assert read == plan
    assert read.sha == plan.sha


def test_other_cuts_are_another_sha() -> None:
    assert split((4, 4, 4), 2).sha != split((4, 4, 4), 4).sha


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "012",
        [],
        [[0, 1], [0, 1]],
        [[0, 1], [0, 1], [0, 1], [0, 1]],
        [[0, 1], [0, 1], [0]],
        [[0, 1], [0, 1], []],
        [[0, 1], [0, 1], [1, 2]],
        [[0, 1], [0, 1], [0, 2, 2]],
        [[0, 1], [0, 1], [0, 2, 1]],
        [[0, 1], [0, 1], [0, "x"]],
        [[0, 1], [0, 1], [0, "1"]],
        [[0, 1], [0, 1], [0, 1.5]],
        [[0, 1], [0, 1], [0, True]],
        [[0, 1], [0, 1], [0, math.inf]],
        [[0, 1], [0, 1], [0, None]],
        [0, 1, 2],
    ],
)
def test_what_is_not_a_plan_is_refused(value: Any) -> None:
    with pytest.raises(InvalidMessage):
        Chunking.decode(value)
