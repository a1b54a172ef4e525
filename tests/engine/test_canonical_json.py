"""One text for one value."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.canonical_json import canonical_json, sha_of

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_the_text_is_sorted_and_without_spaces() -> None:
    value = {"b": (1, 2.5, -0.0), "a": {"d": None, "c": "x y"}}

    assert canonical_json(value) == '{"a":{"c":"x y","d":null},"b":[1,2.5,0.0]}'


@given(values)
def test_reading_the_text_gives_the_value_again(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), values))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    turned = dict(reversed(list(value.items())))

    assert sha_of(turned) == sha_of(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_every_bit_except_the_sign_of_zero(value: float) -> None:
    read = json.loads(canonical_json([value]))[0]

    assert read.hex() == (value + 0.0).hex()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": [bad]})


def test_the_sha_is_that_of_the_text() -> None:
    # printf '[1,0.0]' | sha256sum
    expected = "03bcacc984c9d9c359951f10ce77a94b1bef399076b49dda7950d418d75328b4"

    assert sha_of((1, -0.0)) == expected
