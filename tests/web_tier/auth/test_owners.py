"""Whose share a request counts against, by its head alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.web_keys import Keyed
from web_tier.auth.owners import Owners, address_owner, client_owner
from web_tier.auth.seen_credentials import SeenCredentials
from web_tier.dependencies import dependencies_of

PEER = "192.0.2.1"


def fields(**named: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), text.encode()) for name, text in named.items()]


def test_a_key_counts_for_its_client_once_it_was_accepted() -> None:
    keyed = Keyed()
    owners = Owners(dependencies_of(keyed.site.app).access.credentials, 0)
    key, other = keyed.key("alice"), keyed.key("bob")
    head = fields(authorization=f"Bearer {key}")
    assert owners.of_head(PEER, head) == address_owner(PEER)

    keyed.ask("GET", "/v1/jobs", key)

    assert owners.of_head(PEER, head) == client_owner("alice")
    assert owners.of_head("198.51.100.9", head) == client_owner("alice")
    for unproved in (other, key[:-1] + ("A" if key[-1] != "A" else "B"), "gw_", ""):
        assert owners.of_head(PEER, fields(authorization=f"Bearer {unproved}")) == address_owner(
            PEER
        )
    assert owners.of_head(PEER, fields(cookie=f"Bearer {key}")) == address_owner(PEER)


def test_a_refused_key_counts_for_its_address() -> None:
    keyed = Keyed()
    owners = Owners(dependencies_of(keyed.site.app).access.credentials, 0)
    wrong = keyed.key().swapcase()

    assert keyed.ask("GET", "/v1/jobs", wrong).status_code == 401

    assert owners.of_head(PEER, fields(authorization=f"Bearer {wrong}")) == address_owner(PEER)


def test_all_addresses_of_one_ipv6_customer_are_one_owner() -> None:
    owners = Owners(SeenCredentials(), 0)

    assert owners.of_peer("2001:db8::1") == owners.of_peer("2001:db8::ffff:1")
    assert owners.of_peer("2001:db8::1") != owners.of_peer("2001:db8:0:1::1")
    assert owners.of_peer("::ffff:192.0.2.1") == owners.of_peer("192.0.2.1")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "owner"),
    [
        (0, "203.0.113.7", PEER),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 203.0.113.7:99", "203.0.113.7"),
        (2, "203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (2, "203.0.113.7", PEER),
    ],
)
def test_behind_proxies_the_address_is_the_one_that_they_name(
    proxies: int, forwarded: str, owner: str
) -> None:
    found = Owners(SeenCredentials(), proxies).of_head(PEER, fields(x_forwarded_for=forwarded))

    assert found == address_owner(owner)


@given(st.lists(st.text("ab", max_size=3), max_size=20))
def test_what_is_remembered_is_what_was_accepted_last(texts: list[str]) -> None:
    credentials = SeenCredentials()
    for number, text in enumerate(texts):
        credentials.remember(text, None, str(number))

    for text in texts:
        latest = max(number for number, one in enumerate(texts) if one == text)
        assert credentials.client(text, "cookie") == str(latest)
    assert credentials.client(None, None) is None
    assert credentials.client("c", None) is None
