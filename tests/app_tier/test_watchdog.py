"""What systemd is told."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import pytest

from app_tier.watchdog import Notifier
from gridwell.adapters.memory import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["path", "abstract"])
def listening(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "n") if request.param == "path" else f"@{tmp_path.name}-notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        yield name, listener


def heard(listener: socket.socket) -> list[str]:
    said = []
    while True:
        try:
            said.append(listener.recv(100).decode())
        except BlockingIOError:
            return said


def test_systemd_hears_that_we_are_ready_and_alive(
    listening: tuple[str, socket.socket],
) -> None:
    name, listener = listening
    notifier = Notifier(name, ManualClock())

    notifier.ready()
    notifier.alive()
    notifier.stopping()

    assert heard(listener) == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_the_watchdog_is_fed_now_and_then_however_fast_the_loop_turns(
    listening: tuple[str, socket.socket],
) -> None:
    name, listener = listening
    clock = ManualClock()
    notifier = Notifier(name, clock)

    for _ in range(1000):
        notifier.alive()
        clock.advance(0.02)

    assert heard(listener) == ["WATCHDOG=1"] * 4


def test_without_systemd_nothing_is_sent() -> None:
    Notifier(None, ManualClock()).ready()


def test_a_socket_that_is_gone_stops_no_work_but_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Notifier(str(tmp_path / "nobody"), ManualClock()).ready()

    assert [record.levelname for record in caplog.records] == ["WARNING"]
