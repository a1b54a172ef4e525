"""Whom the kernel names at the other end of a connection."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from gridwell.local_stack.loopback_peer import find_peer
from tests.harness.users import NOBODY, needs_another_user, run_as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS = """
import socket, sys
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
link.recv(1)
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_peer_is_known_by_its_user_and_socket(listener: socket.socket, host: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with ExitStack() as links:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        ours = links.enter_context(socket.socket(family))
        try:
            ours.connect((host, port_of(listener)))
        except OSError as error:
            pytest.skip(f"this machine has no IPv6: {error}")
        theirs = links.enter_context(listener.accept()[0])

        peer = find_peer(theirs)

        assert peer is not None
        assert peer.uid == os.geteuid()
        assert os.readlink(f"/proc/self/fd/{ours.fileno()}") == f"socket:[{peer.inode}]"  # noqa: PTH115


def test_a_peer_that_has_closed_is_nobody(listener: socket.socket) -> None:
    # Its user would read as root: the kernel shows 0 for a socket that no process holds.
    socket.create_connection(("127.0.0.1", port_of(listener))).close()
    with listener.accept()[0] as theirs:
        assert find_peer(theirs) is None


def test_a_connection_that_is_reset_has_no_peer(listener: socket.socket) -> None:
    ours = socket.create_connection(("127.0.0.1", port_of(listener)))
    with listener.accept()[0] as theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        ours.close()

        assert find_peer(theirs) is None


@needs_another_user
def test_another_user_is_told_apart(listener: socket.socket) -> None:
    seen = []

    def serve() -> None:
        with listener.accept()[0] as theirs:
            seen.append(find_peer(theirs))

    thread = threading.Thread(target=serve)
    listener.settimeout(10)
    thread.start()
    try:
        run_as_nobody(CALLS, str(port_of(listener)))
    finally:
        listener.settimeout(0.01)
        thread.join(11)

    (peer,) = seen
    assert peer is not None
    assert peer.uid == NOBODY
