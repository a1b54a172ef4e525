from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.keys import (
    ID_BYTES,
    SECRET_BYTES,
    AccessKey,
    KeyState,
    PresentedKey,
    Scope,
    is_key,
    make_key,
    read_lifetime,
    read_scopes,
)
from gridwell.engine.errors import InvalidAccess
from gridwell.engine.printable import redacted

NOW = 1_000_000.0
CLIENTS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True).filter(
    lambda n: n != "public"
)
SCOPES = st.frozensets(st.sampled_from(Scope), min_size=1)
IDS = st.binary(min_size=ID_BYTES, max_size=ID_BYTES)
SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)


def made(
    client: str = "alice",
    scopes: frozenset[Scope] = frozenset({Scope.READ}),
    *,
    lifetime: float | None = None,
    key_id: bytes = b"\1" * ID_BYTES,
    secret: bytes = b"\2" * SECRET_BYTES,
) -> tuple[str, AccessKey]:
    return make_key(client, scopes, now=NOW, lifetime=lifetime, key_id=key_id, secret=secret)


def shown(text: str) -> PresentedKey:
    presented = PresentedKey.parse(text)
    assert presented is not None
    return presented


@given(CLIENTS, SCOPES, IDS, SECRETS)
def test_a_key_opens_what_it_was_made_for(
    client: str, scopes: frozenset[Scope], key_id: bytes, secret: bytes
) -> None:
    text, key = made(client, scopes, key_id=key_id, secret=secret)

    presented = shown(text)

    assert presented.id == key.id == key_id.hex()
    assert is_key(presented, key)
    assert key.state(NOW) is KeyState.ACTIVE
    assert {scope for scope in Scope if key.allows(scope)} == (
        set(Scope) if Scope.ADMIN in scopes else scopes
    )


@given(IDS, SECRETS, SECRETS)
def test_the_secret_of_another_key_opens_nothing(key_id: bytes, one: bytes, two: bytes) -> None:
    _, key = made(key_id=key_id, secret=one)
    text, _ = made(key_id=key_id, secret=two)

    assert is_key(shown(text), key) is (one == two)
    assert not is_key(shown(text), None)


@given(IDS, IDS, SECRETS)
def test_a_secret_opens_nothing_under_another_id(one: bytes, two: bytes, secret: bytes) -> None:
    _, key = made(key_id=one, secret=secret)
    text, _ = made(key_id=two, secret=secret)

    assert is_key(shown(text), key) is (one == two)


@given(SECRETS, st.data())
def test_a_key_with_any_one_character_changed_opens_nothing(
    secret: bytes, data: st.DataObject
) -> None:
    text, key = made(secret=secret)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "_-"))
    other = text[:place] + letter + text[place + 1 :]

    presented = PresentedKey.parse(other)

    assert (presented is not None and is_key(presented, key)) is (other == text)


@given(st.text())
def test_any_text_is_a_key_or_is_none_without_an_error(text: str) -> None:
    presented = PresentedKey.parse(text)

    assert presented is None or presented.text == text


@given(IDS, SECRETS, st.text(), st.text())
def test_no_text_shows_a_secret_once_it_is_redacted(
    key_id: bytes, secret: bytes, before: str, after: str
) -> None:
    text, key = made(key_id=key_id, secret=secret)

    hidden = redacted(f"{before}{text}{after}")

    assert text.removeprefix(f"gw_{key.id}_") not in hidden
    assert redacted(hidden) == hidden
    assert f"gw_{key.id}" in hidden  # an operator may want to know which


@given(st.text(alphabet=string.ascii_letters + " /.,:"))
def test_text_without_a_key_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


def test_neither_what_is_kept_nor_what_was_presented_shows_the_secret() -> None:
    text, key = made()
    secret = text.rpartition("_")[2]

    assert secret not in repr(key)
    assert secret not in repr(shown(text))


@pytest.mark.parametrize(
    ("at", "state"),
    [(0.0, KeyState.ACTIVE), (59.9, KeyState.ACTIVE), (60.0, KeyState.EXPIRED)],
)
def test_a_key_lives_for_its_lifetime(at: float, state: KeyState) -> None:
    _, key = made(lifetime=60.0)

    assert key.state(NOW + at) is state


@pytest.mark.parametrize(
    "client", ["", "public", "Alice", "-a", "a b", "a\n", "é", "a/b", "x" * 65, "a#1"]
)
def test_a_name_that_could_mean_something_else_is_no_clients(client: str) -> None:
    with pytest.raises(InvalidAccess, match="cannot name a client"):
        made(client)


def test_a_key_that_allows_nothing_is_not_made() -> None:
    with pytest.raises(InvalidAccess, match="submit, read, admin"):
        made(scopes=frozenset())


def test_scopes_are_read_from_a_list() -> None:
    assert read_scopes("submit, read,") == {Scope.SUBMIT, Scope.READ}
    assert read_scopes("") == frozenset()
    with pytest.raises(InvalidAccess, match="'write' is not a scope; there are submit"):
        read_scopes("read,write")


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800.0), ("12h", 43_200.0), ("90d", 7_776_000.0), ("never", None)]
)
def test_lifetimes_are_read(text: str, seconds: float | None) -> None:
    assert read_lifetime(text) == seconds


@pytest.mark.parametrize("text", ["", "0d", "90", "-1d", "1w", "1.5h", "90d\n", "٣d", "9999999d"])
def test_what_is_no_lifetime_is_told(text: str) -> None:
    with pytest.raises(InvalidAccess, match="is not a lifetime"):
        read_lifetime(text)
