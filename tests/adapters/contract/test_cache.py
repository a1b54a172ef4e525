from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.adapters.memcached import connection as adapter
from gridwell.adapters.memcached.cache import MemcachedCache
from gridwell.adapters.memory import ManualClock, MemoryCache
from gridwell.local_stack.memcached import free_port, start_memcached
from tests.harness.threads import at_once
from tests.harness.waiting import await_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gridwell.engine.ports import Cache
    from gridwell.local_stack.memcached import Memcached


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cache(backend: str, clock: ManualClock, request: pytest.FixtureRequest) -> Iterator[Cache]:
    if backend == "memory":
        yield MemoryCache(clock)
        return
    server: Memcached = request.getfixturevalue("memcached")
    # These tests ask what memcached keeps, not how quick a busy machine is.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "CONNECT_SECONDS", 10.0)
        patch.setattr(adapter, "REPLY_SECONDS", 10.0)
        patient = MemcachedCache(server.address)
    with closing(patient) as real:
        yield real


@pytest.fixture
def real_cache(memcached: Memcached, clock: ManualClock) -> Iterator[MemcachedCache]:
    with closing(MemcachedCache(memcached.address, clock=clock)) as cache:
        yield cache


@pytest.fixture
def cache_link(memcached: Memcached) -> Iterator[socket.socket]:
    """Somebody else who uses the same memcached."""
    host, _, port = memcached.address.partition(":")
    with socket.create_connection((host, int(port)), 10) as link:
        yield link


@pytest.fixture
def pass_time(backend: str, clock: ManualClock) -> Callable[[float], None]:
    return clock.advance if backend == "memory" else time.sleep


def test_values_come_back_to_the_last_byte(cache: Cache) -> None:
    values = {"a": bytes(range(256)), "b": b"", "c:1": b"\r\nEND\r\n"}
    for key, value in values.items():
        cache.set(key, value, seconds=60)

    assert cache.get_many([*values, "missing"]) == values
    assert cache.get_many([]) == {}


def test_the_last_value_stays(cache: Cache) -> None:
    cache.set("a", b"1", seconds=60)
    cache.set("a", b"2", seconds=60)

    assert cache.get_many(["a"]) == {"a": b"2"}


def test_a_deleted_value_is_gone_and_may_be_deleted_again(cache: Cache) -> None:
    cache.set("a", b"1", seconds=60)

    cache.delete("a")
    cache.delete("a")

    assert cache.get_many(["a"]) == {}


def test_a_value_goes_when_its_time_is_over(
    cache: Cache, pass_time: Callable[[float], None]
) -> None:
    cache.set("short", b"1", seconds=1)
    cache.set("long", b"1", seconds=60)

    pass_time(2.1)  # memcached's clock ticks once a second

    assert cache.get_many(["short", "long"]) == {"long": b"1"}


def test_many_threads_share_one_cache(cache: Cache) -> None:
    def work(number: int) -> bool:
        cache.set(f"k{number}", str(number).encode(), seconds=60)
        return cache.get_many([f"k{number}"]) == {f"k{number}": str(number).encode()}

    assert all(at_once([lambda n=n: work(n) for n in range(80)]))  # type: ignore[misc]


# --- what memcached alone can do to us


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["action"] for record in caplog.records]


@pytest.mark.system
def test_a_dead_memcached_is_a_miss_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    cache = MemcachedCache(f"127.0.0.1:{free_port()}")

    with caplog.at_level(logging.INFO):
        cache.set("a", b"1", seconds=60)
        cache.delete("a")
        assert cache.get_many(["a"]) == {}

    assert actions(caplog) == ["cache.away"]
    assert cache.outages == 1


@contextmanager
def hung(server: Memcached) -> Iterator[None]:
    os.kill(server.child.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.child.process.pid, signal.SIGCONT)


class Counting:
    """Counts how often memcached is really asked."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked = 0

    def get_many(self, keys: list[str]) -> Any:
        self.asked += 1
        return self._client.get_many(keys)

    def close(self) -> None:
        self._client.close()


def test_a_hung_memcached_holds_up_one_call_a_second(
    memcached: Memcached,
    real_cache: MemcachedCache,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real_cache._reach.client = client = Counting(real_cache._reach.client)

    with hung(memcached), caplog.at_level(logging.INFO):
        assert [real_cache.get_many(["a"]) for _ in range(500)] == [{}] * 500
        assert client.asked == 1
        # A second later one caller tries, and the others go on without it.
        clock.advance(1.0)
        assert at_once([lambda: real_cache.get_many(["a"])] * 8) == [{}] * 8
        assert client.asked == 2

    assert actions(caplog) == ["cache.away"]


def test_a_hung_memcached_is_asked_once_by_a_call_and_no_longer_than_its_timeouts(
    memcached: Memcached, clock: ManualClock
) -> None:
    with hung(memcached), closing(MemcachedCache(memcached.address, clock=clock)) as cache:
        real: Any = cache._reach.client
        cache._reach.client = client = Counting(real)
        # Connecting succeeds at first: the system accepts for a process that is stopped.
        for asked in (1, 2):
            assert cache.get_many(["a"]) == {}
            assert client.asked == asked
            clock.advance(1.0)

    assert real.connect_timeout == adapter.CONNECT_SECONDS
    assert real.timeout == adapter.REPLY_SECONDS


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"VALUE a 0\r\nEND\r\n",
        b"VALUE a 0 x\r\nEND\r\n",
        b"VALUE other 0 1\r\nx\r\nEND\r\n",
        b"SERVER_ERROR out of memory\r\n",
        b"\xff\xfe\r\n",
        b"VALUE a 0 5\r\nx",
        b"",
    ],
)
@pytest.mark.system
def test_whoever_answers_strangely_is_an_outage(
    reply: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(4096)
                link.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        with closing(MemcachedCache(f"127.0.0.1:{listener.getsockname()[1]}")) as cache:
            assert cache.get_many(["a"]) == {}
        thread.join()

    assert actions(caplog) == ["cache.away"]


def test_foreign_flags_and_values_come_back_as_bytes(
    memcached: Memcached, cache_link: socket.socket, real_cache: MemcachedCache
) -> None:
    cache_link.sendall(b"set foreign 1 60 4\r\ncos\n\r\n")  # what some clients would unpickle
    assert cache_link.recv(64) == b"STORED\r\n"

    assert real_cache.get_many(["foreign"]) == {"foreign": b"cos\n"}


def test_a_flush_is_a_miss(cache_link: socket.socket, real_cache: MemcachedCache) -> None:
    real_cache.set("a", b"1", seconds=60)

    cache_link.sendall(b"flush_all\r\n")
    assert cache_link.recv(64) == b"OK\r\n"

    assert real_cache.get_many(["a"]) == {}


@pytest.mark.system
def test_a_tiny_memcached_full_of_junk_forgets_and_goes_on(tmp_path: Path) -> None:
    server = start_memcached(log=tmp_path / "log", megabytes=2)
    with closing(MemcachedCache(server.address)) as cache:
        for number in range(50):
            cache.set(f"junk{number}", b"x" * 100_000, seconds=60)
        for number in range(5_000):
            cache.set(f"ours{number}", b"%d" % number, seconds=60)

        found = cache.get_many([f"ours{number}" for number in range(5_000)])

        assert found == {key: key[4:].encode() for key in found}
        cache.set("last", b"1", seconds=60)
        assert cache.get_many(["last"]) == {"last": b"1"}
    server.stop()


def test_a_write_that_nobody_confirms_is_an_outage(
    memcached: Memcached, real_cache: MemcachedCache, caplog: pytest.LogCaptureFixture
) -> None:
    with hung(memcached):
        real_cache.set("a", b"1", seconds=60)

    assert actions(caplog) == ["cache.away"]


def test_a_memcached_that_came_back_is_used_again(
    memcached: Memcached,
    real_cache: MemcachedCache,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with hung(memcached), caplog.at_level(logging.INFO):
        real_cache.set("a", b"1", seconds=60)
    assert actions(caplog) == ["cache.away"]
    real_cache.set("unasked", b"1", seconds=60)

    def is_back() -> bool:
        clock.advance(1.0)
        real_cache.set("asked", b"1", seconds=60)
        return actions(caplog)[-1] == "cache.back"

    with caplog.at_level(logging.INFO):
        await_true(is_back, pause=0.0)

    assert real_cache.get_many(["unasked"]) == {}


def test_a_value_too_big_for_memcached_is_forgotten_and_told(
    real_cache: MemcachedCache, caplog: pytest.LogCaptureFixture
) -> None:
    largest = b"x" * 1_000_000

    real_cache.set("fits", largest, seconds=60)
    real_cache.set("not", largest + b"x", seconds=60)

    assert real_cache.get_many(["fits", "not"]) == {"fits": largest}
    assert actions(caplog) == ["cache.too_big"]


def test_a_memcached_on_a_socket_file_is_used_like_one_on_a_port(
    memcached: Memcached, tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    del memcached  # skips where it is not installed
    path = tmp_path / "memcached.sock"
    with closing(MemcachedCache(str(path), clock=clock)) as cache:
        assert cache.get_many(["a"]) == {}
        server = start_memcached(log=tmp_path / "log", socket_file=path)
        clock.advance(1.1)
        cache.set("a", b"1", seconds=60)

        assert cache.get_many(["a"]) == {"a": b"1"}
        server.stop()

    assert actions(caplog) == ["cache.away"]


@pytest.mark.parametrize(
    "address", ["", "localhost", ":11211", "host:", "host:port", "./memcached.sock"]
)
def test_an_address_without_host_or_port_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        MemcachedCache(address)
