"""Minima merge by taking the lesser, and their keys sort as they do."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidMessage
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.minimum import Minimum, lesser
from tests.kinds.grid.strategies import minima

TINY = 5e-324
maybe = st.none() | minima


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


@given(minima, minima)
@example(Minimum(-0.0, 2), Minimum(0.0, 1))
@example(Minimum(-TINY, 1), Minimum(0.0, 0))
@example(Minimum(TINY, 0), Minimum(0.0, 1))
@example(Minimum(-1.7976931348623157e308, 1), Minimum(1.7976931348623157e308, 0))
@example(Minimum(-1.0, 9), Minimum(-1.0, 10))
@example(Minimum(1.0, 0), Minimum(1.0, limits.MAX_POINTS - 1))
def test_keys_sort_as_value_then_index(a: Minimum, b: Minimum) -> None:
    assert (a.key() < b.key()) == (a < b)
    assert (a.key() == b.key()) == (a == b)


@given(minima)
@example(Minimum(-0.0, 0))
@example(Minimum(TINY, limits.MAX_POINTS - 1))
def test_a_key_keeps_every_bit_except_the_sign_of_zero(minimum: Minimum) -> None:
    read = Minimum.from_key(minimum.key())

    assert bits(read.value) == bits(minimum.value + 0.0)
    assert read.index == minimum.index


def test_known_keys() -> None:
    assert Minimum(0.0, 0).key() == "8000000000000000" + "0" * 16
    assert Minimum(-0.0, 255).key() == "8000000000000000" + "00000000000000ff"
    assert Minimum(1.0, 1).key() == "bff0000000000000" + "0000000000000001"
    assert Minimum(-1.0, 1).key() == "400fffffffffffff" + "0000000000000001"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "8" * 31,
        "8" * 33,
        "8000000000000000" + "-000000000000001",
        "8000000000000000" + "+000000000000001",
        "8000000000000000" + "10000000000000000",
        "8000000000000000" + "000000000000000F",
        "8000000000000000" + "0_00000000000000",
        " 00000000000000000000000000000000",
        "-8000000000000000000000000000000",
        "7fffffffffffffff" + "0" * 16,  # -0.0, which is written as 0.0
        "fff0000000000000" + "0" * 16,  # infinity
        "000fffffffffffff" + "0" * 16,  # minus infinity
        "fff8000000000000" + "0" * 16,  # not a number
        "0007ffffffffffff" + "0" * 16,  # not a number, negative
        "٣" * 32,
        "not a key",
        "80000000000000000000000000000000\n",
    ],
)
def test_what_no_minimum_writes_is_refused(key: str) -> None:
    with pytest.raises(InvalidMessage, match="is not the key of a minimum"):
        Minimum.from_key(key)


@given(st.text(alphabet="0123456789abcdef-+_ ", min_size=30, max_size=34))
def test_a_key_that_is_read_is_the_key_that_was_written(text: str) -> None:
    try:
        minimum = Minimum.from_key(text)
    except InvalidMessage:
        return
    assert minimum.key() == text
    assert math.isfinite(minimum.value)
    assert minimum.index >= 0


def test_the_lowest_index_wins_among_equal_values() -> None:
    assert lesser(Minimum(1.0, 5), Minimum(1.0, 4)) == Minimum(1.0, 4)


def test_a_chunk_without_a_point_loses_to_any_minimum() -> None:
    assert lesser(None, Minimum(1e300, 5)) == Minimum(1e300, 5)
    assert lesser(Minimum(0.0, 0), None) == Minimum(0.0, 0)
    assert lesser(None, None) is None


@given(maybe, maybe, maybe)
def test_merging_is_commutative_associative_and_idempotent(
    a: Minimum | None, b: Minimum | None, c: Minimum | None
) -> None:
    assert lesser(a, b) == lesser(b, a)
    assert lesser(a, lesser(b, c)) == lesser(lesser(a, b), c)
    assert lesser(a, a) == a
