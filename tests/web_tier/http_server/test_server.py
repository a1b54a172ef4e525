"""A real gunicorn with our configuration: what only it can show."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from gridwell.engine import limits
from tests.harness.web_http import SMALL
from tests.load.probe import QUESTION, ask
from tests.load.server import PATIENCE, serving
from web_tier.http_server.buffering_worker import ACCEPTED_TOGETHER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.load.server import Server

ALONE = {"Connection": "close"}
THREADS = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that leave it as it was; what it said shows that nothing broke in it."""
    with serving(tmp_path_factory.mktemp("gunicorn") / "log", threads=THREADS) as started:
        yield started
        assert "Traceback" not in started.log


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as link:
        yield link


def exchanged(server: Server, data: bytes) -> tuple[int, dict[str, Any], bytes]:
    """Status and body of the first answer to raw bytes, and what follows until the end."""
    with connected(server) as link:
        with contextlib.suppress(ConnectionError):
            link.sendall(data)
        answered = link.makefile("rb")
        status = int(answered.readline().split()[1])
        length = 0
        for line in iter(answered.readline, b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = json.loads(answered.read(length) or b"{}")
        link.shutdown(socket.SHUT_WR)
        return status, body, answered.read()


def posted(body: bytes, *fields: str) -> bytes:
    lines = "".join(f"{field}\r\n" for field in ("Content-Type: application/json", *fields))
    return f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode() + body


# --- ends of the process


def test_sigterm_ends_all_waiting_at_once_and_then_the_server(tmp_path: Any) -> None:
    with serving(tmp_path / "log", threads=THREADS) as server:
        url = server.url
        prefer = {**ALONE, "Prefer": "wait=30"}
        answers: list[requests.Response] = []

        def submit() -> None:
            response = requests.post(f"{url}/v1/jobs", json=SMALL, headers=prefer, timeout=PATIENCE)
            answers.append(response)

        first = requests.post(f"{url}/v1/jobs", json=SMALL, headers=ALONE, timeout=PATIENCE)
        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert first.status_code == 202
        with connected(server) as sending, connected(server) as idle:
            sending.sendall(QUESTION[:20])
            time.sleep(0.5)  # they wait now; sooner or later makes no other answer
            assert not answers

            server.process.send_signal(signal.SIGTERM)

            for thread in threads:
                thread.join()
            assert [answer.status_code for answer in answers] == [202] * 4
            assert all("Preference-Applied" not in answer.headers for answer in answers)
            # Whoever is half through may end; whoever has said nothing is let go.
            assert idle.recv(1) == b""
            sending.sendall(QUESTION[20:])
            assert sending.recv(64).startswith(b"HTTP/1.1 200")
        assert server.process.wait(PATIENCE) == 0


# --- slow, deaf and rude clients


def test_clients_that_send_slowly_hold_no_thread(server: Server) -> None:
    job = json.dumps(SMALL).encode()
    request = posted(job, f"Content-Length: {len(job)}")
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(connected(server)) for _ in range(3 * THREADS)]
        for number, link in enumerate(links):
            link.sendall(request[: 10 if number % 2 else -10])

        assert ask(server.port)

        for number, link in enumerate(links):
            link.sendall(request[10 if number % 2 else -10 :])
            assert link.recv(64).startswith(b"HTTP/1.1 202")


def test_a_client_that_sends_too_slowly_hears_so(tmp_path: Any) -> None:
    with serving(tmp_path / "log", app="tests.load.app:hasty()") as hasty, connected(hasty) as link:
        link.sendall(QUESTION[:10])
        said = link.recv(4096)

    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in said


def test_clients_that_keep_their_end_open_hold_up_nobody(tmp_path: Any) -> None:
    with (
        serving(tmp_path / "log", threads=THREADS, app="tests.load.app:lingering()") as server,
        contextlib.ExitStack() as stack,
    ):
        links = [stack.enter_context(connected(server)) for _ in range(20)]
        for link in links:
            link.sendall(QUESTION)
            while link.recv(4096):
                pass

        assert ask(server.port)


def test_connections_that_say_nothing_make_room_for_others(tmp_path: Any) -> None:
    most = ("--worker-connections", "50")
    with (
        serving(
            tmp_path / "log", threads=THREADS, options=most, app="tests.load.app:lingering()"
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        links = [stack.enter_context(connected(server)) for _ in range(120)]
        for link in links:
            with contextlib.suppress(ConnectionError):
                link.sendall(QUESTION[:10])

        assert ask(server.port)


def test_all_threads_run_before_the_first_request(tmp_path: Any) -> None:
    with serving(tmp_path / "log", threads=THREADS) as server:
        assert server.port
        assert ask(server.port)

        assert server.threads() > THREADS


def test_connections_that_arrive_at_once_are_all_served(server: Server) -> None:
    os.kill(server.worker, signal.SIGSTOP)  # so all of them wait to be accepted
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(connected(server)) for _ in range(3 * ACCEPTED_TOGETHER)]
        for link in links:
            link.sendall(QUESTION)
        os.kill(server.worker, signal.SIGCONT)

        said = [link.recv(64) for link in links]

    answered = sum(line.startswith(b"HTTP/1.1 200") for line in said)
    assert answered + sum(line.startswith(b"HTTP/1.1 503") for line in said) == len(links)
    assert answered >= THREADS


def test_requests_may_be_sent_ahead_of_their_answers(server: Server) -> None:
    job = json.dumps(SMALL).encode()
    three = posted(job, f"Content-Length: {len(job)}") * 2 + QUESTION

    with connected(server) as link:
        link.sendall(three)
        said = b"".join(iter(lambda: link.recv(4096), b""))

    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"202", b"202", b"200"]


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(server: Server) -> None:
    job = json.dumps(SMALL).encode()
    with connected(server) as link:
        link.sendall(posted(b"", f"Content-Length: {len(job)}", "Expect: 100-continue"))
        assert link.recv(4096).startswith(b"HTTP/1.1 100 ")
        link.sendall(job)
        said = b""
        while b"HTTP/1.1 202 " not in said:
            said += link.recv(4096)


def test_the_door_is_shut_to_submissions_before_they_cost_a_thread(tmp_path: Any) -> None:
    job = json.dumps(SMALL).encode()
    with serving(tmp_path / "log", app="tests.load.app:full()") as server:
        status, body, _ = exchanged(server, posted(job, f"Content-Length: {len(job)}"))

        assert (status, body["code"]) == (503, "overloaded")
        assert ask(server.port)


# --- requests that are none


def test_a_body_that_comes_in_pieces_is_refused_once_it_is_too_large(server: Server) -> None:
    piece = b" " * (1 << 20)
    count = limits.MAX_BODY_BYTES // len(piece) + 2

    response = requests.post(
        f"{server.url}/v1/jobs",
        data=(piece for _ in range(count)),
        headers={**ALONE, "Content-Type": "application/json"},
        timeout=PATIENCE,
    )

    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(server: Server) -> None:
    length = limits.MAX_BODY_BYTES + 1

    status, body, _ = exchanged(server, posted(b"", f"Content-Length: {length}"))

    assert (status, body["code"]) == (413, "body_too_large")


SMUGGLED = b"0\r\n\r\nGET /v1/fleet HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (posted(SMUGGLED, "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
        (posted(SMUGGLED, "Transfer-Encoding: chunked", "Content-Length: 5"), 400),
        (posted(SMUGGLED, "Content-Length: 5", "Content-Length: 44"), 400),
        (posted(SMUGGLED, "Content-Length: 5 5"), 400),
        (posted(SMUGGLED, "Content-Length: +5"), 400),
        (posted(SMUGGLED, "Content-Length : 5"), 400),
        (posted(SMUGGLED, "Content-Length:\x0b5"), 400),
        (posted(SMUGGLED, "Transfer-Encoding: xchunked"), 400),
        (posted(SMUGGLED, "Transfer-Encoding: chunked, identity"), 400),
        (posted(SMUGGLED, "Transfer-Encoding:\tgzip, chunked"), 400),
        (posted(SMUGGLED, "X: a\r\n Transfer-Encoding: chunked"), 400),
        (posted(b"3\r\nabcX0\r\n\r\n", "Transfer-Encoding: chunked"), 400),
        (posted(b"zz\r\n", "Transfer-Encoding: chunked"), 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: \r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: [::1].evil.example\r\n\r\n", 400),
        (b"GET /v1/jobs HTTP/1.1\r\nHost: [::1].evil.example\r\n\r\n", 421),
        (b"GET /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:evil\r\n\r\n", 421),
        (b"GET http://evil.example/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"GET http://127.0.0.1/v1/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nExpect: miracles\r\n\r\n", 417),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /v1/jobs?cursor=" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 100_000, 431),
    ],
)
def test_malformed_requests_are_refused_as_problems_and_nothing_follows(
    server: Server, data: bytes, status: int
) -> None:
    answered, body, rest = exchanged(server, data)

    assert (answered, body["status"]) == (status, status)
    assert body["code"]
    assert rest == b""
    assert "Traceback" not in json.dumps(body)
