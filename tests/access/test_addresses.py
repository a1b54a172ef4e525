from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.addresses import is_loopback, network_of, without_port


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.evil"])
def test_what_others_can_reach_is_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_counts_for_itself(address: object) -> None:
    assert network_of(str(address)) == network_of(f"::ffff:{address}") == str(address)


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_all_ipv6_addresses_of_one_customer_count_as_one(site: int, one: int, two: int) -> None:
    first, second = (ipaddress.IPv6Address(site << 64 | host) for host in (one, two))

    assert network_of(str(first)) == network_of(str(second))


def test_what_is_no_address_counts_together() -> None:
    assert network_of("") == network_of("a name") == "unknown"


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_an_address_is_counted_without_the_port_that_a_proxy_writes(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    text = str(address) if address.version == 4 else f"[{address}]"

    assert without_port(f"{text}:{port}") == without_port(text) == str(address)
    assert network_of(f"{text}:{port}") == network_of(str(address)) != "unknown"


@pytest.mark.parametrize("text", ["1.2.3.4:99:1", "[::1]:x", "[::1", "evil:80", "::1:80", ""])
def test_what_is_no_address_with_a_port_stays_as_it_is(text: str) -> None:
    assert without_port(text) == text
