import os
import shutil
import socket
from pathlib import Path

import pytest

from gridwell.domain.errors import ServiceError
from gridwell.local_stack.memcached import free_port, start_memcached

needs_memcached = pytest.mark.skipif(
    shutil.which("memcached") is None and os.environ.get("CI") != "true",
    reason="memcached is not installed: apt-get install -y memcached",
)


def ask(address: str, request: bytes) -> bytes:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), 5) as link:
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


def test_a_machine_without_memcached_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ServiceError, match="apt-get install -y memcached"):
        start_memcached(log=tmp_path / "log")
