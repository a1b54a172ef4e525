import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.memcached import connect, free_port, start_memcached
from tests.end_to_end.listeners import listeners_of
from tests.end_to_end.processes import Family
from tests.harness.users import needs_another_user, run_as_nobody

needs_memcached = pytest.mark.skipif(
    shutil.which("memcached") is None and os.environ.get("CI") != "true",
    reason="memcached is not installed: apt-get install -y memcached",
)


CONNECTS = """
import socket, sys
link = socket.socket(socket.AF_UNIX)
try:
    link.connect(sys.argv[1])
except OSError as error:
    print(type(error).__name__)
"""


def ask(address: str, request: bytes) -> bytes:
    with connect(address, 5) as link:
        link.sendall(request)
        return link.recv(1024)


@needs_memcached
def test_memcached_keeps_what_it_is_given(tmp_path: Path) -> None:
    memcached = start_memcached(log=tmp_path / "log")

    assert ask(memcached.address, b"set k 0 0 1\r\nv\r\n") == b"STORED\r\n"
    assert ask(memcached.address, b"get k\r\n") == b"VALUE k 0 1\r\nv\r\nEND\r\n"
    memcached.stop()

    assert not memcached.child.is_running


@needs_memcached
def test_memcached_listens_on_the_port_it_is_told(tmp_path: Path) -> None:
    port = free_port()

    memcached = start_memcached(log=tmp_path / "log", port=port)

    assert memcached.address == f"127.0.0.1:{port}"
    memcached.stop()


@needs_memcached
def test_a_taken_port_is_an_error_with_the_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ServiceError, match=f"does not answer on 127.0.0.1:{port}"):
            start_memcached(log=tmp_path / "log", port=port)


@needs_memcached
def test_memcached_on_a_socket_file_has_no_port_and_serves_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "memcached.sock"

    memcached = start_memcached(log=tmp_path / "log", socket_file=path)

    assert memcached.address == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_uid == os.geteuid()
    assert ask(memcached.address, b"set k 0 0 1\r\nv\r\n") == b"STORED\r\n"
    assert listeners_of(Family(memcached.child.process.pid)).tcp == []
    memcached.stop()


@needs_memcached
@needs_another_user
def test_another_user_cannot_connect_to_the_socket_file(tmp_path: Path) -> None:
    path = tmp_path / "memcached.sock"
    memcached = start_memcached(log=tmp_path / "log", socket_file=path)
    tmp_path.chmod(0o755)  # the file's own mode is what is tested

    refused = run_as_nobody(CONNECTS, path.name, cwd=tmp_path)

    memcached.stop()
    assert refused.stdout == "PermissionError\n"


@needs_memcached
def test_memcached_takes_the_place_of_one_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "memcached.sock"
    first = start_memcached(log=tmp_path / "log", socket_file=path)
    first.child.process.kill()
    first.child.process.wait()
    assert path.exists()

    second = start_memcached(log=tmp_path / "log", socket_file=path)

    assert ask(second.address, b"version\r\n").startswith(b"VERSION")
    second.stop()


@needs_memcached
def test_a_path_that_is_too_long_for_a_socket_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "memcached.sock"

    with pytest.raises(ServiceError, match=r"too long for a socket file.*--state"):
        start_memcached(log=tmp_path / "log", socket_file=path)


def test_a_machine_without_memcached_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ServiceError, match="apt-get install -y memcached"):
        start_memcached(log=tmp_path / "log")
