"""Tokens and states of sessions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.keys import ID_BYTES, SECRET_BYTES, AccessKey, Scope, make_key
from gridwell.access.session import (
    IDLE_SECONDS,
    LIFE_SECONDS,
    TOKEN_BYTES,
    SessionState,
    SessionToken,
    open_session,
)
from gridwell.engine.printable import redacted

NOW = 1_700_000_000.0


def a_key(number: int = 1, lifetime: float | None = None) -> AccessKey:
    _, key = make_key(
        "alice",
        frozenset({Scope.READ}),
        now=NOW,
        lifetime=lifetime,
        key_id=bytes([number] * ID_BYTES),
        secret=bytes([number] * SECRET_BYTES),
    )
    return key


@given(st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES))
def test_a_token_reads_back_and_fits_the_key_that_made_it_alone(random: bytes) -> None:
    token, session = open_session(a_key(), now=NOW, random=random)
    parsed = SessionToken.parse(token.text)

    assert parsed == token
    assert parsed.fits(a_key())
    assert not parsed.fits(a_key(2))
    assert not parsed.fits(replace(a_key(2), id=a_key().id))
    assert session.digest == token.digest
    assert token.text not in repr(session)
    assert token.text not in repr(token)


@given(st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES), st.integers(0, 200), st.data())
def test_a_token_that_was_altered_fits_no_longer_or_is_none(
    random: bytes, at: int, data: st.DataObject
) -> None:
    token, _ = open_session(a_key(), now=NOW, random=random)
    at %= len(token.text)
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    altered = token.text[:at] + other + token.text[at + 1 :]
    parsed = SessionToken.parse(altered)

    assert altered == token.text or parsed is None or not parsed.fits(a_key())


@pytest.mark.parametrize("text", ["", "gws_", "gw_000000000000_" + "A" * 43, "x" * 10_000])
def test_other_texts_are_no_tokens(text: str) -> None:
    assert SessionToken.parse(text) is None


def test_a_token_takes_its_number_of_random_bytes() -> None:
    with pytest.raises(ValueError, match="32 random bytes, not 31"):
        open_session(a_key(), now=NOW, random=bytes(31))


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (0.0, SessionState.ACTIVE),
        (IDLE_SECONDS - 0.1, SessionState.ACTIVE),
        (IDLE_SECONDS, SessionState.IDLE),
        (LIFE_SECONDS, SessionState.EXPIRED),
    ],
)
def test_an_unused_session_is_idle_and_then_expired(after: float, state: SessionState) -> None:
    _, session = open_session(a_key(), now=NOW, random=bytes(TOKEN_BYTES))

    assert session.state(NOW + after) is state
    assert replace(session, ended=NOW).state(NOW + after) is SessionState.ENDED


def test_use_does_not_carry_a_session_past_its_life() -> None:
    _, session = open_session(a_key(), now=NOW, random=bytes(TOKEN_BYTES))
    used = replace(session, used=NOW + LIFE_SECONDS - 1)

    assert used.state(NOW + LIFE_SECONDS - 0.5) is SessionState.ACTIVE
    assert used.state(NOW + LIFE_SECONDS) is SessionState.EXPIRED


def test_a_session_ends_with_its_key() -> None:
    _, session = open_session(a_key(lifetime=90.0), now=NOW, random=bytes(TOKEN_BYTES))

    assert session.ends == NOW + 90.0


def test_a_token_is_redacted_from_texts() -> None:
    token, _ = open_session(a_key(), now=NOW, random=bytes(TOKEN_BYTES))

    assert redacted(f"Cookie: x={token.text}; y") == f"Cookie: x=gws_{a_key().id}_…; y"
