from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gridwell.local_stack.faults.calling_process import MARK
from gridwell.local_stack.memcached import start_memcached
from tests.chaos.memcached_proxy import CacheRelay, Point
from tests.harness.waiting import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    shutil.which("memcached") is None and os.environ.get("CI") != "true",
    reason="memcached is not installed: apt-get install -y memcached",
)
PROGRAM = os.path.basename(sys.executable)  # noqa: PTH119 - of a command
SETS = """
import socket, sys
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
link.sendall(b"set k 0 0 5\\r\\nhello\\r\\n")
print(link.recv(64))
"""


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[str]:
    memcached = start_memcached(log=tmp_path / "log")
    yield memcached.address
    memcached.stop()


@pytest.fixture
def relay(tmp_path: Path, cache: str) -> Iterator[CacheRelay]:
    relay = CacheRelay(tmp_path)
    relay.lead(cache)
    yield relay
    relay.close()


def ask(address: str, request: bytes) -> bytes:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), 5) as link:
        link.sendall(request)
        return link.recv(1024)


def set_by_a_program(relay: CacheRelay, state: Path) -> int:
    """The exit status of a program that sets a key."""
    port = relay.address.partition(":")[2]
    command = [sys.executable, "-c", SETS, port]
    return subprocess.run(command, env={MARK: str(state)}, check=False, timeout=240).returncode


def test_everything_is_passed_on_and_a_value_is_no_command(relay: CacheRelay) -> None:
    value = b"get me " * 20_000
    relay.arm(Point(PROGRAM, "get", after=False))

    stored = ask(relay.address, b"set k 0 0 %d\r\n%s\r\n" % (len(value), value))

    assert stored == b"STORED\r\n"
    assert relay.hit == 0


@pytest.mark.parametrize(
    ("after", "kept"), [(False, b"END\r\n"), (True, b"VALUE k 0 5\r\nhello\r\nEND\r\n")]
)
def test_a_program_is_killed_before_or_after_its_command_has_its_effect(
    relay: CacheRelay, cache: str, tmp_path: Path, *, after: bool, kept: bytes
) -> None:
    relay.arm(Point(PROGRAM, "set", after=after))

    status = set_by_a_program(relay, tmp_path)

    assert status == -signal.SIGKILL
    await_true(lambda: relay.hit == 1, 10.0)  # it counts once it has killed
    assert ask(cache, b"get k\r\n") == kept
    assert set_by_a_program(relay, tmp_path) == 0  # once is enough


def test_only_the_program_that_is_meant_is_killed(relay: CacheRelay, tmp_path: Path) -> None:
    relay.arm(Point("web_tier collect", "set", after=False))

    assert set_by_a_program(relay, tmp_path) == 0


def test_all_can_be_led_to_another_memcached(relay: CacheRelay, cache: str, tmp_path: Path) -> None:
    other = start_memcached(log=tmp_path / "other-log")
    ask(cache, b"set where 0 0 3\r\none\r\n")
    ask(other.address, b"set where 0 0 3\r\ntwo\r\n")

    relay.lead(other.address)

    assert b"two" in ask(relay.address, b"get where\r\n")
    other.stop()
