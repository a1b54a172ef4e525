"""What a request's head says alone is answered before its body comes: on a real gunicorn."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from typing import TYPE_CHECKING

import pytest

from tests.harness.web_http import SMALL
from tests.load.app import A_KEY, A_READER, NO_KEY, fixed_key
from tests.load.probe import ask
from tests.load.server import PATIENCE, serving
from web_tier.http_server.request_buffer import ASKED_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.load.server import Server

LONG = 60_000_000
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("ahead")
    with serving(folder / "log", app="tests.load.app:keyed()") as started:
        yield started
        assert "Traceback" not in started.log


def key(number: int) -> str:
    text, _ = fixed_key(number)
    return f"Authorization: Bearer {text}"


def head(*fields: str, line: str = "POST /v1/jobs") -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextlib.contextmanager
def sent(server: Server, data: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as link:
        link.sendall(data)
        yield link


def answer(link: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The whole answer: status, header fields in lower case, body, up to the server's end."""
    said = b"".join(iter(lambda: link.recv(65_536), b""))
    top, _, body = said.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    return int(status.split()[1]), fields, body


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ([], 401, "key_missing"),
        (["Authorization: Bearer gw_nonsense"], 401, "key_wrong"),
        ([key(NO_KEY)], 401, "key_wrong"),
        ([key(A_READER)], 403, "scope_missing"),
        ([key(A_KEY), "Sec-Fetch-Site: cross-site", "Origin: https://a.example"], 0, ""),
        (["Cookie: gridwell_key=x", "Sec-Fetch-Site: cross-site"], 403, "cross_site"),
    ],
)
@pytest.mark.parametrize("framed", [f"Content-Length: {LONG}", "Transfer-Encoding: chunked"])
def test_who_may_not_is_told_before_a_byte_of_the_body_comes(
    server: Server, fields: list[str], status: int, code: str, framed: str
) -> None:
    with sent(server, head(*fields, framed)) as link:
        if not status:  # with a right key the body is awaited
            link.settimeout(0.3)
            with pytest.raises(TimeoutError):
                link.recv(1)
            return
        answered, headers, body = answer(link)

    assert answered == status
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] == code
    assert headers["connection"] == "close"
    assert headers["access-control-allow-origin"] == "*"  # a page may see why


def test_an_early_answer_reaches_a_client_that_sends_on(server: Server) -> None:
    with sent(server, head(f"Content-Length: {LONG}")) as link:
        # It sends all that it announced, whatever it hears: closing at once would reset this.
        piece = b" " * (1 << 20)
        for _ in range(LONG // len(piece)):
            link.sendall(piece)
        status, headers, body = answer(link)

    assert (status, json.loads(body)["code"]) == (401, "key_missing")
    assert headers["www-authenticate"] == 'Bearer realm="gridwell"'


def test_what_is_sent_without_a_key_is_not_kept(server: Server) -> None:
    before = server.memory("VmRSS")
    with contextlib.ExitStack() as stack:
        links = [
            stack.enter_context(sent(server, head(f"Content-Length: {LONG}"))) for _ in range(20)
        ]
        for link in links:
            link.sendall(b" " * (1 << 20))
            assert answer(link)[0] == 401
        assert ask(server.port)

    assert server.memory("VmRSS") - before < 20


def test_a_client_that_asks_first_is_told_no_instead_of_to_go_on(server: Server) -> None:
    with sent(server, head("Content-Length: 10", "Expect: 100-continue")) as link:
        assert answer(link)[0] == 401


def test_a_right_key_goes_on_and_the_body_is_served(server: Server) -> None:
    job = json.dumps(SMALL).encode()
    body = job + b" " * ASKED_BYTES
    fields = head(key(A_KEY), f"Content-Length: {len(body)}", "Expect: 100-continue")
    with sent(server, fields) as link:
        assert link.recv(len(GO_ON)) == GO_ON
        link.sendall(body)
        said = b""
        while b"HTTP/1.1 202 " not in said:
            said += link.recv(65_536)

    assert GO_ON not in said, "once is enough"


def test_a_body_that_comes_with_its_head_is_served_too(server: Server) -> None:
    job = json.dumps(SMALL).encode() + b" " * (2 * ASKED_BYTES)
    request = head(key(A_KEY), f"Content-Length: {len(job)}") + job
    following = head(line="GET /healthz")

    with sent(
        server, request + following.replace(b"Content-Type", b"Connection: close\r\nX")
    ) as link:
        said = b"".join(iter(lambda: link.recv(65_536), b""))

    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"202", b"200"]


@pytest.mark.parametrize(
    ("line", "status"), [("POST /nowhere", 404), ("PUT /v1/jobs", 405), ("POST /v1/fleet", 405)]
)
def test_what_no_route_takes_is_told_before_the_body_comes(
    server: Server, line: str, status: int
) -> None:
    with sent(server, head(f"Content-Length: {LONG}", line=line)) as link:
        assert answer(link)[0] == status


def test_a_malformed_head_is_told_before_the_body_comes(server: Server) -> None:
    with sent(server, head(f"Content-Length: {LONG}", "Bad Name: x")) as link:
        status, _, body = answer(link)

    assert (status, json.loads(body)["code"]) == (400, "malformed_request")


def test_questions_are_not_counted_as_requests(server: Server) -> None:
    def counted() -> list[str]:
        with sent(server, head(key(A_READER), "Connection: close", line="GET /metrics")) as link:
            _, _, body = answer(link)
        return [line for line in body.decode().splitlines() if 'status="100"' in line]

    with sent(server, head(key(A_KEY), f"Content-Length: {LONG}")):
        assert ask(server.port)
        assert counted() == []
