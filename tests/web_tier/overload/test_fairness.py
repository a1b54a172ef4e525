"""One greedy client against each gate, and another one that is served: on a real gunicorn."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.waiting import await_true
from tests.load.app import A_KEY, ANOTHER, HELD, OPENS, PLACES, QUEUED, fixed_key
from tests.load.server import PATIENCE, serving
from web_tier.http_server.eviction import PAUSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.load.server import Server

THREADS = 64
GRANTED = b"\r\nPreference-Applied:"


@dataclass(frozen=True)
class Party:
    """A client: by its key, or by its address."""

    field: str
    address: str

    def connect(self, server: Server, room: int = 0) -> socket.socket:
        """A connection, with room for so many bytes that it does not read."""
        link = socket.socket()
        if room:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        link.settimeout(PATIENCE)
        link.bind((self.address, 0))
        link.connect(("127.0.0.1", server.port))
        return link

    def request(self, method: str, path: str, *fields: str, body: bytes = b"") -> bytes:
        """The bytes of a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", self.field, *fields]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def ask(self, server: Server, method: str, path: str, *fields: str, body: bytes = b"") -> bytes:
        """The whole answer to a request."""
        with self.connect(server) as link:
            link.sendall(self.request(method, path, "Connection: close", *fields, body=body))
            return b"".join(iter(lambda: link.recv(65_536), b""))

    def job(self, server: Server, **fields: Any) -> str:
        """The id of a new job."""
        job = {"grid_size": 4, "atom_count": 5, **fields}
        said = self.ask(server, "POST", "/v1/jobs", body=json.dumps(job).encode())
        assert status(said) == 202, said
        found = re.search(rb'"id":"([0-9a-f]{32})"', said)
        assert found is not None
        return found[1].decode()


def status(said: bytes) -> int:
    return int(said.split()[1])


def padded(size: int, seed: int = 1) -> bytes:
    """A job in so many bytes."""
    return json.dumps({"grid_size": 4, "atom_count": 5, "seed": seed}).encode().ljust(size)


def parties(*, keyed: bool) -> tuple[Party, Party]:
    if not keyed:
        return Party("X: 1", "127.0.0.1"), Party("X: 1", "127.0.0.2")
    one, other = (fixed_key(number)[0] for number in (A_KEY, ANOTHER))
    fields = [f"Authorization: Bearer {text}" for text in (one, other)]
    return Party(fields[0], "127.0.0.1"), Party(fields[1], "127.0.0.1")


@pytest.fixture(scope="module", params=["shared", "shared_open"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Party, Party]]:
    """A server, a greedy client and a modest one, whose keys it has seen before."""
    log = tmp_path_factory.mktemp("fairness") / "log"
    with serving(log, threads=THREADS, app=f"tests.load.app:{request.param}()") as server:
        greedy, modest = parties(keyed=request.param == "shared")
        yield server, greedy, modest
        assert "Traceback" not in server.log


@contextlib.contextmanager
def held(links: list[socket.socket]) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        for link in links:
            stack.enter_context(link)
        yield links


def opened(server: Server, party: Party, data: bytes, count: int) -> list[socket.socket]:
    links = [party.connect(server) for _ in range(count)]
    for link in links:
        link.sendall(data)
    return links


def until(link: socket.socket, words: bytes) -> bytes:
    """What comes, up to some words or the end."""
    data = b""
    while words not in data:
        more = link.recv(65_536)
        if not more:
            break
        data += more
    return data


@pytest.mark.parametrize("sent", [HELD // 8, HELD // 2])
def test_uploads_that_stand_still_keep_nobody_out(
    world: tuple[Server, Party, Party], sent: int
) -> None:
    server, greedy, modest = world
    length = f"Content-Length: {64 << 20}"
    head = greedy.request("POST", "/v1/jobs", "Content-Type: application/json", length)
    for _ in range(2):  # and again, as fast as they are given up
        with held(opened(server, greedy, head, 12)) as links:
            for link in links:
                link.settimeout(0)
            data, ends = b" " * sent, time.monotonic() + 1
            left = dict.fromkeys(links, len(data))
            while time.monotonic() < ends and any(left.values()):
                _, ready, _ = select.select([], [one for one in links if left[one]], [], 0.1)
                for link in ready:
                    with contextlib.suppress(BlockingIOError):
                        try:
                            left[link] -= link.send(data[-left[link] :])
                        except ConnectionError:
                            left[link] = 0
            for seed in range(3):
                answer = modest.ask(server, "POST", "/v1/jobs", body=padded(HELD // 4, seed))
                assert status(answer) == 202


def test_uploads_that_stand_still_make_room_for_a_new_one_of_their_owner(
    world: tuple[Server, Party, Party],
) -> None:
    server, greedy, _ = world
    length = f"Content-Length: {64 << 20}"
    head = greedy.request("POST", "/v1/jobs", "Content-Type: application/json", length)
    with held(opened(server, greedy, head + b" " * (HELD // 8), 7)):
        time.sleep(PAUSE_SECONDS + 0.5)

        assert status(greedy.ask(server, "POST", "/v1/jobs", body=padded(HELD // 4, 77))) == 202


def test_streams_of_one_client_leave_room_for_another(
    world: tuple[Server, Party, Party],
) -> None:
    server, greedy, modest = world
    job, other = greedy.job(server), modest.job(server, seed=2)
    data = greedy.request("GET", f"/v1/jobs/{job}/events")
    with held([]) as links, contextlib.ExitStack() as stack:
        for _ in range(PLACES):
            links.append(stack.enter_context(greedy.connect(server)))
            links[-1].sendall(data)
            assert b"event: progress" in until(links[-1], b"event: progress")
        assert status(greedy.ask(server, "GET", f"/v1/jobs/{job}/events")) == 503

        mine = stack.enter_context(modest.connect(server))
        mine.sendall(modest.request("GET", f"/v1/jobs/{other}/events"))

        assert b"event: progress" in until(mine, b"event: progress")
        rest = until(links[-1], b"0\r\n\r\n")  # the newest ended in order
        assert rest.endswith(b"0\r\n\r\n")
        assert b"event: end" not in rest
        assert status(greedy.ask(server, "GET", f"/v1/jobs/{job}/events")) == 503


def test_waits_of_one_client_leave_room_for_another(world: tuple[Server, Party, Party]) -> None:
    server, greedy, modest = world
    job, other = greedy.job(server, seed=3), modest.job(server, seed=4)
    wait = "Prefer: wait=30"
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(greedy.connect(server)) for _ in range(PLACES)]
        for link in links:
            link.sendall(greedy.request("GET", f"/v1/jobs/{job}", wait))
        waiting = b'waiting{kind="wait"} 4.0'
        await_true(lambda: waiting in modest.ask(server, "GET", "/metrics"))
        assert GRANTED not in greedy.ask(server, "GET", f"/v1/jobs/{job}", wait)

        mine = stack.enter_context(modest.connect(server))
        mine.sendall(modest.request("GET", f"/v1/jobs/{other}", wait))

        ready, _, _ = select.select(links, [], [], PATIENCE)
        assert len(ready) == 1
        assert GRANTED not in ready[0].recv(65_536)
        assert select.select([mine], [], [], 0.3)[0] == []  # it waits


def test_downloads_of_one_client_leave_room_for_another(
    world: tuple[Server, Party, Party],
) -> None:
    server, greedy, modest = world
    job, other = greedy.job(server, atom_count=300_000), modest.job(server, atom_count=20_000)
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(greedy.connect(server, room=4096)) for _ in range(PLACES)]
        for link in links:
            link.sendall(greedy.request("GET", f"/v1/jobs/{job}/atoms"))
            assert link.recv(12).endswith(b"200")
        assert status(greedy.ask(server, "GET", f"/v1/jobs/{job}/atoms")) == 503

        answer = modest.ask(server, "GET", f"/v1/jobs/{other}/atoms")

        assert status(answer) == 200
        assert answer.endswith(b"0\r\n\r\n")
        assert status(greedy.ask(server, "GET", f"/v1/jobs/{job}/atoms")) in (200, 503)


def test_threads_of_one_client_leave_some_to_another(world: tuple[Server, Party, Party]) -> None:
    server, greedy, modest = world
    job, other = greedy.job(server, atom_count=300_000), modest.job(server)
    # Answers of a file that nobody reads hold a thread each, whatever its gate says.
    data = greedy.request("GET", f"/v1/jobs/{job}/atoms")
    with contextlib.ExitStack() as stack:
        for _ in range(2 * THREADS):
            link = stack.enter_context(greedy.connect(server, room=4096))
            link.sendall(data)

        assert status(modest.ask(server, "GET", f"/v1/jobs/{other}")) == 200


@pytest.mark.parametrize("keyed", [True, False])
def test_waiting_submissions_are_served_in_turn(tmp_path: Path, *, keyed: bool) -> None:
    greedy, modest = parties(keyed=keyed)
    opens = tmp_path / "opens"
    app = "tests.load.app:shared()" if keyed else "tests.load.app:shared_open()"
    env = {OPENS: str(opens)}
    with (
        serving(tmp_path / "log", threads=THREADS, app=app, env=env) as server,
        contextlib.ExitStack() as stack,
    ):
        for party in (greedy, modest):  # their keys are known from now on
            assert status(party.ask(server, "GET", "/v1/jobs")) == 200
        many = [stack.enter_context(greedy.connect(server)) for _ in range(QUEUED + 4)]
        for number, link in enumerate(many):
            link.sendall(greedy.request("POST", "/v1/jobs", body=padded(100, 10 + number)))
        refused = answered(many, 4)
        assert refused == [503] * 4

        mine = stack.enter_context(modest.connect(server))
        mine.sendall(modest.request("POST", "/v1/jobs", body=padded(100, 99)))
        assert answered(many, 1) == [503]  # one of the greedy client's made room
        opens.touch()

        before = 0
        while True:
            ready, _, _ = select.select([mine, *many], [], [], PATIENCE)
            assert ready
            if mine in ready:
                break
            for link in ready:
                assert link.recv(65_536).startswith(b"HTTP/1.1 202")
                many.remove(link)
                before += 1
        assert mine.recv(65_536).startswith(b"HTTP/1.1 202")
        assert before <= QUEUED // 2


def answered(links: list[socket.socket], count: int) -> list[int]:
    """The statuses of the first answers; their connections are taken off the list."""
    statuses: list[int] = []
    while len(statuses) < count:
        ready, _, _ = select.select(links, [], [], PATIENCE)
        assert ready, statuses
        for link in ready:
            statuses.append(status(link.recv(65_536)))
            links.remove(link)
    return statuses


def test_connections_of_one_address_leave_room_for_another(tmp_path: Path) -> None:
    greedy, modest = parties(keyed=False)
    most = ("--worker-connections", "50")
    with (
        serving(
            tmp_path / "log", threads=40, app="tests.load.app:shared_open()", options=most
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        mine = stack.enter_context(modest.connect(server))
        request = modest.request("GET", "/healthz", "Connection: close")
        mine.sendall(request[:20])
        for _ in range(120):
            link = stack.enter_context(greedy.connect(server))
            with contextlib.suppress(ConnectionError):
                link.sendall(b"GET / HTTP/1.1\r\nX: ")

        mine.sendall(request[20:])

        assert until(mine, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        assert status(modest.ask(server, "GET", "/healthz")) == 200


def test_connections_of_one_address_leave_room_for_a_new_one_of_the_same(tmp_path: Path) -> None:
    greedy, _ = parties(keyed=False)
    most = ("--worker-connections", "50")
    with (
        serving(
            tmp_path / "log", threads=40, app="tests.load.app:shared_open()", options=most
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(60):
            link = stack.enter_context(greedy.connect(server))
            with contextlib.suppress(ConnectionError):
                link.sendall(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(3):  # those who came first have the least time left
            assert status(greedy.ask(server, "GET", "/healthz")) == 200
