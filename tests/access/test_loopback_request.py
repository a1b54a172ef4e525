from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.loopback_request import BAD_REQUEST, FORBIDDEN, host_refusal, page_refusal

LOOPBACK = [
    "127.0.0.1", "127.0.0.1:8080", "127.9.9.9:1", "localhost", "LOCALHOST:65535", "localhost.:80",
    "[::1]", "[::1]:80",
]  # fmt: skip
OTHERS = [
    "", "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example",
    "[::1].evil.example", "[::1]evil.example", "127.0.0.1:evil", "127.0.0.1:", "127.0.0.1:0",
    "127.0.0.1:65536", "127.0.0.1:80:80", "127.0.0.1@evil.example", "127.0.0.1,evil.example",
    "evil.example,127.0.0.1", "127.0.0.1 evil.example", "\\evil.example", "0.0.0.0", "::1",
    "[::1", "::1]", "[127.0.0.1]", "[::1%25lo]", "127.1", "2130706433", "0x7f000001",
    "127.0.0.1\x00", "ⓛocalhost",
]  # fmt: skip


def status_of(hosts: list[str], *, target: str = "/", version: str = "HTTP/1.1") -> int | None:
    refusal = host_refusal(target=target, version=version, hosts=hosts)
    return None if refusal is None else refusal.status


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_loopback_host_is_served(host: str) -> None:
    assert status_of([host]) is None


@pytest.mark.parametrize("host", OTHERS)
def test_another_host_is_refused(host: str) -> None:
    assert status_of([host]) == FORBIDDEN


@given(st.text(max_size=40))
def test_no_name_below_a_foreign_one_is_served(prefix: str) -> None:
    assert status_of([f"{prefix}.evil.example"]) == FORBIDDEN
    assert status_of([f"{prefix}.evil.example:80"]) == FORBIDDEN


def test_a_missing_host_is_refused_from_http_1_1_on() -> None:
    assert status_of([]) == BAD_REQUEST
    assert status_of([], version="HTTP/1.0") is None


def test_two_hosts_are_refused_even_if_both_are_loopback() -> None:
    assert status_of(["localhost", "localhost"]) == BAD_REQUEST


@pytest.mark.parametrize("host", OTHERS)
def test_an_absolute_target_must_name_a_loopback_host_too(host: str) -> None:
    assert status_of(["127.0.0.1"], target=f"http://{host}/path") == FORBIDDEN
    assert status_of([host], target="http://127.0.0.1/path") == FORBIDDEN


def test_an_absolute_target_of_this_machine_is_served() -> None:
    assert status_of(["127.0.0.1:80"], target="HTTP://localhost:80/path?x") is None


@pytest.mark.parametrize("target", ["evil.example:443", "ftp://127.0.0.1/", "", "x"])
def test_a_target_that_is_no_path_is_refused(target: str) -> None:
    assert status_of(["127.0.0.1"], target=target) == BAD_REQUEST


def test_options_of_the_whole_server_are_served() -> None:
    assert status_of(["127.0.0.1"], target="*") is None


@pytest.mark.parametrize(
    "name", ["Origin", "origin", "ORIGIN", "Sec-Fetch-Site", "sec-fetch-mode", "Sec-Fetch-Storage"]
)
def test_a_header_that_only_browsers_send_is_refused(name: str) -> None:
    refusal = page_refusal(["Host", name])

    assert refusal is not None
    assert refusal.status == FORBIDDEN
    assert name in refusal.reason


def test_headers_of_aws_clients_are_served() -> None:
    names = ["Host", "Authorization", "X-Amz-Date", "X-Amz-Target", "User-Agent", "amz-sdk-request"]

    assert page_refusal(names) is None
