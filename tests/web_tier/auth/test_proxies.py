"""Forwarded headers count for the operator's own proxies alone: on a real gunicorn."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from tests.load.server import PATIENCE, serving
from web_tier.auth.proxies import caller_address, trusting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.load.server import Server

FORWARDED = [
    "SCRIPT_NAME: /v1", "Script_Name: /v1", "SCRIPT-NAME: /v1", "PATH_INFO: /metrics",
    "Path-Info: /metrics", "X-Forwarded-Proto: https", "X_FORWARDED_PROTO: https",
    "x-forwarded-protocol: ssl", "X-Forwarded-Ssl: on", "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 443", "X-Forwarded-Prefix: /v1", "X_Forwarded_Prefix: /v1",
    "X-Forwarded-For: 203.0.113.7", "X_Forwarded_For: 203.0.113.7", "X-Real-IP: 203.0.113.7",
    "Forwarded: for=203.0.113.7;proto=https;host=evil.example", "X-Scheme: https",
    "REMOTE_ADDR: 203.0.113.7", "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off",
]  # fmt: skip


@pytest.fixture(scope="module", params=[0, 1])
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Server]]:
    log = tmp_path_factory.mktemp("proxies") / "log"
    env = {"GRIDWELL_TEST_PROXIES": str(request.param)}
    with serving(log, app="tests.load.app:seen()", env=env) as started:
        yield request.param, started
        assert "Traceback" not in started.log


def environment(server: Server, *fields: str, target: str = "/v1/metrics") -> dict[str, Any]:
    """What the application behind the guard sees of a request."""
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *fields]
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as link:
        link.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        said = b"".join(iter(lambda: link.recv(65_536), b""))
    seen: dict[str, Any] = json.loads(said.partition(b"\r\n\r\n")[2])
    return seen


def test_no_forwarded_header_changes_what_a_request_is(proxied: tuple[int, Server]) -> None:
    proxies, server = proxied
    plain = environment(server)
    assert plain == {
        "SCRIPT_NAME": "",
        "PATH_INFO": "/v1/metrics",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
    }

    for field in FORWARDED:
        expected = dict(plain)
        if proxies and field.startswith("X-Forwarded-For"):
            expected["REMOTE_ADDR"] = "203.0.113.7"
        if proxies and field.startswith("X-Forwarded-Proto:"):
            expected["wsgi.url_scheme"] = "https"
        assert environment(server, field) == expected, field


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("1.2.3.4:99", "1.2.3.4"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
    ],
)
def test_an_address_with_a_port_is_read_as_the_address(
    proxied: tuple[int, Server], field: str, address: str
) -> None:
    proxies, server = proxied

    seen = environment(server, f"X-Forwarded-For: {field}")

    assert seen["REMOTE_ADDR"] == (address if proxies else "127.0.0.1")


def test_a_scheme_that_is_none_is_not_taken(proxied: tuple[int, Server]) -> None:
    _, server = proxied

    assert environment(server, "X-Forwarded-Proto: javascript")["wsgi.url_scheme"] == "http"


parts = st.text("0123456789.:[]abf, \"'\\=;", max_size=20)


@given(st.lists(parts, max_size=3), st.integers(0, 3))
def test_the_address_before_and_behind_the_application_is_the_same(
    forwarded: list[str], proxies: int
) -> None:
    seen: list[str] = []

    def application(environ: dict[str, Any], _: Any) -> list[bytes]:
        seen.append(environ["REMOTE_ADDR"])
        return []

    environ = create_environ(headers=[("X-Forwarded-For", value) for value in forwarded])
    environ["REMOTE_ADDR"] = "192.0.2.9"
    if forwarded:  # as gunicorn joins them
        environ["HTTP_X_FORWARDED_FOR"] = ",".join(forwarded)
    trusting(application, proxies)(environ, lambda *_: lambda _: None)

    assert caller_address("192.0.2.9", forwarded, proxies) == seen[0]
