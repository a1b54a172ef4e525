"""The first process's sockets, whose names every user of the machine can read."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

from gridwell.local_stack.machine.notify import NotifySocket
from tests.end_to_end.listeners import listeners_of
from tests.end_to_end.processes import Family
from tests.harness.users import needs_another_user, run_as_nobody

if TYPE_CHECKING:
    from tests.local_stack.conftest import Region

NOTIFIES = """
import socket, sys
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.sendto(sys.argv[2].encode(), "\\0" + sys.argv[1])
"""
POWERS_OFF = """
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.settimeout(5)
link.connect("\\0" + sys.argv[1])
try:
    link.sendall(b"poweroff\\n")
    print(repr(link.recv(100)))
except OSError as error:
    print(type(error).__name__)
"""


def notify(name: str, words: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.sendto(words.encode(), f"\0{name}")


@needs_another_user
def test_messages_of_another_user_are_dropped() -> None:
    heard: list[list[str]] = []
    own = NotifySocket(lambda _, lines: heard.append(lines))
    run_as_nobody(NOTIFIES, own.name, "READY=1\nWATCHDOG=1")
    notify(own.name, "STATUS=ours")

    own.read()
    own.read()
    own.close()

    assert heard == [["STATUS=ours"]]


@needs_another_user
def test_another_user_cannot_power_an_instance_off(region: Region, launched: Any) -> None:
    instance = launched(UserData="#!/bin/sh\necho up\nsleep 60\n")
    region.await_console(instance, "up")
    open_now = listeners_of(Family(region.pid(instance)))
    assert len(open_now.abstract) == 1

    answer = run_as_nobody(POWERS_OFF, open_now.abstract[0]).stdout

    time.sleep(0.2)
    assert answer in ("b''\n", "ConnectionResetError\n", "BrokenPipeError\n")
    assert "Powering off" not in region.console(instance)
    assert region.describe(instance)["State"]["Name"] == "running"
