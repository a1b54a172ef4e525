"""How long a body may be is judged by the head alone, route by route: on a real gunicorn."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import pytest

from gridwell.engine import limits
from tests.harness.web_http import SMALL, Site
from tests.harness.web_keys import Keyed
from tests.load.app import A_KEY, fixed_key
from tests.load.server import PATIENCE, serving
from web_tier.auth.body_limits import BodyLimits
from web_tier.auth.route_rules import BODIES, BODY_TYPES, OPEN, RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.load.server import Server

ROUTES = sorted(
    {
        (re.sub(r"<[^>]*>", "0" * 32, rule.rule), rule.endpoint, method)
        for rule in Site().app.url_map.iter_rules()
        for method in rule.methods or ()
    }
)
WITHOUT = [route for route in ROUTES if route[1] not in BODIES or route[2] != "POST"]
MEGABYTE = 1_000_000
FRAMINGS = [
    f"Content-Length: {MEGABYTE}",
    "Transfer-Encoding: chunked",
    f"Content-Length: {MEGABYTE}\r\nExpect: 100-continue",
    "Transfer-Encoding: chunked\r\nExpect: 100-continue",
]


@pytest.fixture(scope="module", params=["keyed", "application"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("bodies") / "log"
    with serving(log, app=f"tests.load.app:{request.param}()") as started:
        yield started
        assert "Traceback" not in started.log


def said(server: Server, data: bytes) -> bytes:
    """What is answered to some bytes, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as link:
        link.sendall(data)
        return b"".join(iter(lambda: link.recv(65_536), b""))


def head(method: str, path: str, *fields: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def status(answer: bytes) -> int:
    return int(answer.split()[1])


# The table.


def test_every_route_with_a_body_is_a_route_and_every_other_one_takes_none() -> None:
    limit_of = BodyLimits(Site().app.url_map)

    assert set(BODIES) <= set(RULES) | OPEN
    for path, endpoint, method in ROUTES:
        expected = BODIES.get(endpoint, 0) if method == "POST" else 0
        assert limit_of(f"{method} {path}?x=/y HTTP/1.1".encode()) == expected, path


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        (b"POST /v1%2Fjobs HTTP/1.1", limits.MAX_BODY_BYTES),
        (b"POST /v1/%6Aobs HTTP/1.1", limits.MAX_BODY_BYTES),
        (b"POST http://localhost/v1/jobs HTTP/1.1", limits.MAX_BODY_BYTES),
        (b"POST /v1/jobs#x HTTP/1.1", limits.MAX_BODY_BYTES),
        (b"POST /login", 4096),
        (b"GET /v1/jobs HTTP/1.1", 0),
        (b"OPTIONS /v1/jobs HTTP/1.1", 0),
        (b"PUT /v1/jobs HTTP/1.1", None),
        (b"POST /nowhere HTTP/1.1", None),
        (b"POST //v1/jobs HTTP/1.1", limits.MAX_BODY_BYTES),
        (b"POST http://[::1/v1/jobs HTTP/1.1", None),
        (b"POST \xff HTTP/1.1", None),
        (b"POST", None),
        (b"", None),
    ],
)
def test_the_limit_is_that_of_the_route_that_will_serve(line: bytes, limit: int | None) -> None:
    assert BodyLimits(Site().app.url_map)(line) == limit


# By the head alone.


def test_no_route_that_reads_no_body_waits_for_one(server: Server) -> None:
    for path, _, method in WITHOUT:
        for framing in FRAMINGS:
            answer = said(server, head(method, path, framing))
            assert status(answer) == 413, (method, path, framing)
            assert b"Connection: close" in answer


def test_no_unknown_route_waits_for_a_body(server: Server) -> None:
    unknown = [("POST", "/nowhere"), ("PUT", "/v1/jobs"), ("DELETE", "/"), ("POST", "/static/x")]
    for method, path in unknown:
        for framing in FRAMINGS:
            assert status(said(server, head(method, path, framing))) in (404, 405)


def test_a_login_takes_a_key_and_no_more(server: Server) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    body = b"key=" + b"x" * 4000
    fits = head("POST", "/login", form, f"Content-Length: {len(body)}", "Connection: close") + body
    assert status(said(server, fits)) in (303, 401)

    for framing in (FRAMINGS[0], FRAMINGS[2]):
        assert status(said(server, head("POST", "/login", framing))) == 413
    pieces = head("POST", "/login", form, FRAMINGS[1]) + b"1000\r\n" + b"x" * 4096 + b"\r\n1\r\n"
    answer = said(server, pieces)
    assert (status(answer), b"4096 bytes" in answer) == (413, True)


def test_one_byte_is_too_much_where_none_is_taken(server: Server) -> None:
    for path in ("/docs", "/openapi.json", "/healthz", "/login", "/v1/jobs"):
        assert status(said(server, head("GET", path, "Content-Length: 1") + b"x")) == 413
    assert status(said(server, head("POST", "/logout", "Content-Length: 1") + b"x")) == 413


def test_an_announced_empty_body_is_none(server: Server) -> None:
    close = "Connection: close"

    assert status(said(server, head("GET", "/docs", "Content-Length: 0", close))) == 200
    assert status(said(server, head("POST", "/logout", "Content-Length: 0", close))) == 303


def test_a_job_may_be_submitted_in_pieces(server: Server) -> None:
    job = json.dumps(SMALL).encode()
    text, _ = fixed_key(A_KEY)
    fields = ["Content-Type: application/json", f"Authorization: Bearer {text}"]
    pieces = head("POST", "/v1/jobs", *fields, FRAMINGS[1], "Connection: close")

    answer = said(server, pieces + b"%x\r\n%s\r\n0\r\n\r\n" % (len(job), job))

    assert status(answer) in (200, 202)


JSON_TYPE = "Content-Type: application/json"
FORM_TYPE = "Content-Type: application/x-www-form-urlencoded"


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(
    ("path", "field", "code"),
    [
        ("/v1/jobs", "Content-Type: text/csv", b"unsupported_media_type"),
        ("/v1/jobs", FORM_TYPE, b"unsupported_media_type"),
        ("/v1/jobs", "X-Other: 1", b"unsupported_media_type"),
        ("/v1/jobs", f"{JSON_TYPE}\r\nContent-Encoding: gzip", b"unsupported_content_encoding"),
        ("/jobs", JSON_TYPE, b"unsupported_media_type"),
        ("/jobs", "X-Other: 1", b"unsupported_media_type"),
        ("/jobs", f"{FORM_TYPE}\r\nContent-Encoding: br", b"unsupported_content_encoding"),
        ("/estimate", JSON_TYPE, b"unsupported_media_type"),
    ],
)
def test_a_body_of_a_type_that_its_route_does_not_read_is_not_awaited(
    server: Server, path: str, field: str, code: bytes, framing: str
) -> None:
    text, _ = fixed_key(A_KEY)
    key = f"Authorization: Bearer {text}"

    answer = said(server, head("POST", path, key, field, framing))

    assert (status(answer), code in answer) == (415, True)
    assert b"Connection: close" in answer
    assert b"100 Continue" not in answer


def test_every_route_with_a_body_has_its_types() -> None:
    assert BODY_TYPES.keys() == BODIES.keys()


# Behind another server than ours.


@pytest.mark.parametrize(("path", "endpoint", "method"), WITHOUT)
def test_the_guard_refuses_a_body_that_came_all_the_same(
    path: str, endpoint: str, method: str
) -> None:
    keyed = Keyed()
    key = keyed.key()

    answer = keyed.ask(method, path, key, data=b"x" * 10)

    assert answer.status_code in (403, 413), endpoint


def test_the_guard_cuts_a_body_in_pieces_off_at_its_limit() -> None:
    keyed = Keyed()
    in_pieces = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}

    def status(padding: int) -> int:
        data = {"padding": "x" * padding, "key": keyed.key()}
        return keyed.site.client.post("/login", data=data, environ_overrides=in_pieces).status_code

    assert [status(100), status(5000)] == [303, 401]  # the key behind the limit is not read


# What every answer of the front has.


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (head("GET", "/docs", FRAMINGS[0]), 413),
        (head("GET", "/" + "a" * 9000), 414),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400),
        (head("POST", "/v1/jobs", "Content-Length: 99999999"), 413),
        (head("POST", "/nowhere", FRAMINGS[0]), 404),
        (head("GET", "/healthz", "Transfer-Encoding: gzip, chunked"), 400),
        (head("GET", "/healthz", "Transfer-Encoding: identity"), 400),
    ],
)
def test_answers_without_the_application_have_the_headers_of_all_others(
    server: Server, data: bytes, expected: int
) -> None:
    answer = said(server, data)
    fields = answer.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")

    assert status(answer) == expected
    assert "x-content-type-options: nosniff" in fields
    assert "referrer-policy: same-origin" in fields
    assert "x-frame-options: deny" in fields
    assert "cache-control: no-store" in fields
    assert "connection: close" in fields
    assert any(re.match("content-security-policy: .*frame-ancestors 'none'", f) for f in fields)


def test_no_answer_names_the_server_software(server: Server) -> None:
    for data in (head("GET", "/healthz", "Connection: close"), head("GET", "/", FRAMINGS[0])):
        assert b"gunicorn" not in said(server, data).lower()
