"""Streams of events through real servers: gunicorn alone, and nginx in front of it."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from tests.browser.tls import nginx_before
from tests.harness.waiting import DEADLINE
from tests.load import app
from tests.load.server import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STREAMS = 300
PATIENCE = DEADLINE


@contextmanager
def a_server(folder: Path, *, threads: int = 64) -> Iterator[Server]:
    """A gunicorn whose jobs never end by themselves."""
    env = {app.DELAY: str(app.NEVER), app.CAPACITY: str(STREAMS)}
    site = "tests.load.app:application()"
    with serving(folder / "log", threads=threads, app=site, env=env) as server:
        yield server


def a_job(url: str) -> str:
    job: str = requests.post(
        f"{url}/v1/jobs", json={"grid_size": 4, "atom_count": 5}, timeout=PATIENCE
    ).json()["id"]
    return job


@pytest.mark.parametrize("proxied", [False, True], ids=["gunicorn", "nginx"])
def test_events_come_as_they_happen(tmp_path: Path, *, proxied: bool) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(a_server(tmp_path))
        port = stack.enter_context(nginx_before(tmp_path, server)) if proxied else server.port
        url = f"http://127.0.0.1:{port}"
        job = a_job(url)
        answer = stack.enter_context(
            requests.get(f"{url}/v1/jobs/{job}/events", stream=True, timeout=PATIENCE)
        )
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)

        assert answer.headers["Content-Type"].startswith("text/event-stream")
        first = [next(lines) for _ in range(5)]
        assert first[0] == "retry: 1000"
        assert first[3] == "event: progress"
        # Nothing holds the events back, neither of our servers nor of the proxy's buffers.
        assert requests.delete(f"{url}/v1/jobs/{job}", timeout=PATIENCE).status_code == 204
        rest = list(lines)
        assert "event: end" in rest
        assert any('"state":"cancelled"' in line for line in rest)


def test_three_hundred_streams_leave_the_others_served(tmp_path: Path) -> None:
    with a_server(tmp_path, threads=STREAMS + 160) as server, ExitStack() as stack:
        job = a_job(server.url)
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE))
            for _ in range(STREAMS)
        ]
        for client in clients:
            client.sendall(
                f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
        for client in clients:
            assert b"event: progress" in until(client, b"event: progress")

        # One more is told to ask by itself, and everybody else is served.
        refused = requests.get(f"{server.url}/v1/jobs/{job}/events", timeout=PATIENCE)
        assert refused.status_code == 503
        assert refused.json()["code"] == "too_many_streams"
        assert int(refused.headers["Retry-After"]) >= 1
        assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200
        assert requests.get(f"{server.url}/v1/jobs/{job}", timeout=PATIENCE).status_code == 200

        requests.delete(f"{server.url}/v1/jobs/{job}", timeout=PATIENCE)
        for client in clients:
            assert b"event: end" in until(client, b"event: end")


def until(client: socket.socket, words: bytes) -> bytes:
    """What a client receives, up to some words."""
    client.settimeout(PATIENCE)
    data = b""
    while words not in data:
        more = client.recv(65_536)
        assert more, data
        data += more
    return data
