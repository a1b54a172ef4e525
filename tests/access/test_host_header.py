"""The Host field is parsed as a whole, or refused as a whole."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.host_header import HostHeader, is_consistent, parse_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("localhost", HostHeader("localhost")),
        ("LOCALHOST.:80", HostHeader("localhost", 80)),
        ("127.0.0.1:8080", HostHeader("127.0.0.1", 8080)),
        ("grid.example.org:", HostHeader("grid.example.org")),
        ("[::1]", HostHeader("[::1]")),
        ("[0:0:0::1]:65535", HostHeader("[::1]", 65_535)),
        ("a_b.example", HostHeader("a_b.example")),
    ],
)
def test_a_host_field_gives_a_name_and_a_port(text: str, host: HostHeader) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "", ":", ":80", "[::1].evil.example", "[::1]evil", "[::1", "::1", "[]", "[::1]:evil",
        "[::1]:80:80", "[localhost]", "[::1%25eth0]", "127.0.0.1:evil", "127.0.0.1:80:evil",
        "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 80",
        "127.0.0.1@evil.example",
        "127.0.0.1,evil.example", "127.0.0.1/evil", "local host", "localhost\t.evil", "a..", "-a",
        "127.0.0.1#evil", "127.0.0.1?evil", "localhost\\.evil", "localhost%2eevil",
        "l\u00f6calhost",
        "127.0.0.1\x00", "127.0.0.1:\u0661",
    ],
)  # fmt: skip
def test_a_malformed_host_field_gives_nothing(text: str) -> None:
    assert parse_host(text) is None


@given(st.sampled_from(["localhost", "127.0.0.1", "[::1]"]), st.text(max_size=12))
def test_what_follows_a_loopback_name_changes_it_or_is_a_port(name: str, rest: str) -> None:
    found = parse_host(name + rest)

    if found is not None and found.name == name:
        assert re.fullmatch(r"\.?(:[0-9]{0,5})?[ \t]*", rest), rest


@pytest.mark.parametrize(
    ("target", "host", "consistent"),
    [
        ("/jobs", "localhost", True),
        ("//evil.example/jobs", "localhost", True),
        ("*", "localhost", True),
        ("http://localhost/jobs", "LOCALHOST", True),
        ("http://localhost:80/jobs", "localhost:80", True),
        ("http://evil.example/jobs", "localhost", False),
        ("HTTP://evil.example", "localhost", False),
        ("http://localhost/jobs", "evil.example", False),
        ("http://localhost:81/jobs", "localhost:80", False),
        ("http://evil@localhost/jobs", "localhost", False),
        ("http://[::1/jobs", "[::1]", False),
        ("http://localhost/jobs", None, False),
    ],
)
def test_a_target_names_the_same_host_as_the_field(
    target: str, host: str | None, *, consistent: bool
) -> None:
    assert is_consistent(target, host) is consistent
