"""What systemd is told."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest

from app_tier.worker.context import WorkerPorts
from app_tier.worker.liveness import Contact, Notifier, watched
from app_tier.worker.loop import work
from app_tier.worker.step_report import WorkerExit
from app_tier.worker.worker import Worker, WorkerConfig
from gridwell.adapters.memory import ManualClock, MemoryQueue
from gridwell.engine.errors import ServiceBusy
from tests.harness.worker import WORKER, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gridwell.engine.ports import Received


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


class Counter(Notifier):
    """Counts how often the watchdog would be fed."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(None, clock)
        self.fed = 0

    def alive(self) -> None:
        self.fed += 1


class SilentQueue(MemoryQueue):
    """A queue behind a network that drops everything."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self._own_clock = clock

    def receive(self, *, at_most: int, wait: float) -> list[Received]:
        del at_most, wait
        self._own_clock.advance(66)
        raise ServiceBusy("it did not answer")


def ports_of(world: World, **changes: Any) -> WorkerPorts:
    fields = {
        "chunks": world.queue,
        "results": world.answers,
        "store": world.memory,
        "jobs": world.ledger,
        "fleet": world.ledger,
        "compute": world.compute,
        "runners": {},
        "clock": world.clock,
        "chance": lambda: 0.5,
    }
    return WorkerPorts(**{**fields, **changes})


def test_every_call_feeds_the_watchdog_and_only_a_queues_answer_is_a_contact() -> None:
    world = World()
    notifier, contact = Counter(world.clock), Contact(world.clock, None)
    silent = SilentQueue(world.clock)
    ports = watched(ports_of(world, chunks=silent), notifier, contact)

    with pytest.raises(ServiceBusy):
        ports.chunks.receive(at_most=1, wait=0)
    ports.fleet.slots()

    assert (notifier.fed, contact.silence) == (2, 66)
    ports.results.send(["a result"])
    assert (notifier.fed, contact.silence) == (3, 0)


def test_a_contact_touches_its_file_now_and_then(tmp_path: Path) -> None:
    clock, sign = ManualClock(), tmp_path / "progress"
    contact = Contact(clock, sign)
    assert not sign.exists()  # a start is no progress: a worker may start again and again

    contact.made()
    first = sign.stat().st_mtime_ns
    sign.unlink()
    clock.advance(4)
    contact.made()
    assert not sign.exists()
    clock.advance(1)
    contact.made()

    assert sign.stat().st_mtime_ns >= first


def test_a_file_that_cannot_be_touched_stops_no_work_but_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Contact(ManualClock(), tmp_path / "nowhere" / "progress").made()

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def end_of(world: World, ports: WorkerPorts) -> WorkerExit:
    notifier, contact = Notifier(None, world.clock), Contact(world.clock, None)
    worker = Worker(watched(ports, notifier, contact), WorkerConfig(worker=WORKER, version="1"))
    return work(worker, notifier, contact, unreachable_seconds=600)


def test_a_worker_whose_queue_does_not_answer_for_ten_minutes_gives_up() -> None:
    world = World()
    began = world.clock.monotonic()

    assert end_of(world, ports_of(world, chunks=SilentQueue(world.clock))) is WorkerExit.UNREACHABLE
    assert 600 < world.clock.monotonic() - began < 800


def test_a_worker_whose_queue_answers_goes_home_when_it_is_idle() -> None:
    world = World()

    assert end_of(world, ports_of(world)) is WorkerExit.IDLE
