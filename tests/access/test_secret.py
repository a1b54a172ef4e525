"""Codes: each purpose and each way to cut the data has its own."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.secret import SECRET_BYTES, Keys

SECRET = bytes(range(SECRET_BYTES))
texts = st.lists(st.text(max_size=8), max_size=4)


@given(texts, texts)
def test_other_parts_have_another_code(one: list[str], other: list[str]) -> None:
    keys = Keys(SECRET)

    assert (keys.mac("x", *one) == keys.mac("x", *other)) is (one == other)
    assert keys.verifies(keys.mac("x", *one), "x", *one)


def test_a_code_is_hmac_sha256_under_a_key_derived_for_its_purpose() -> None:
    derived = hmac.new(SECRET, b"gridwell answers", hashlib.sha256).digest()
    framed = b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x01c"

    code = Keys(SECRET).mac("answers", "ab", b"c")

    assert code == hmac.new(derived, framed, hashlib.sha256).digest()


def test_a_code_of_another_purpose_or_secret_does_not_verify() -> None:
    code = Keys(SECRET).mac("one", "data")

    assert not Keys(SECRET).verifies(code, "other", "data")
    assert not Keys(SECRET[::-1]).verifies(code, "one", "data")
    assert not Keys(SECRET).verifies(code[:-1], "one", "data")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="31 bytes is too short; use 32"):
        Keys(SECRET[1:])
