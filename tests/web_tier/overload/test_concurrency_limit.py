"""Who is let in, who waits, who is sent away; and when no new job is taken."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from gridwell.adapters.memory import ManualClock, MemoryQueue
from gridwell.engine.errors import ServiceBusy
from tests.harness.waiting import DEADLINE
from tests.harness.web import Fuse, Fused
from tests.harness.web_http import SMALL, Site
from web_tier.overload.concurrency_limit import (
    HELD,
    QUICK_BYTES,
    ConcurrencyLimit,
    Overloaded,
    default_limits,
)
from web_tier.overload.queue_limit import LOOK_SECONDS, QueueLimit
from web_tier.settings import SERVING_THREADS

if TYPE_CHECKING:
    from typing import Any


def test_whoever_finds_no_place_is_sent_away_at_once() -> None:
    gate = ConcurrencyLimit("at work", clock=ManualClock(), places=2)
    with gate.admitted(), gate.admitted(), pytest.raises(Overloaded, match="2 at work already"):
        gate.enter()

    with gate.admitted():
        pass


def test_whoever_waits_gets_the_next_place() -> None:
    gate = ConcurrencyLimit("at work", clock=ManualClock(), places=1, waiting=1, seconds=10)
    place = gate.enter()
    done: list[bool] = []

    def wait() -> None:
        with gate.admitted():
            done.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    while not gate._waiting:
        time.sleep(0.001)
    with pytest.raises(Overloaded):
        gate.enter()
    assert not done

    place.leave()

    thread.join(DEADLINE)
    assert done == [True]


def test_a_place_that_the_door_took_is_used_and_given_back_once() -> None:
    gate, other = (ConcurrencyLimit("at work", clock=ManualClock(), places=1) for _ in range(2))
    free: list[bool] = []
    gate.on_leave = lambda: free.append(True)
    place = gate.try_enter()
    assert place is not None
    assert gate.try_enter() is None

    def serve() -> None:
        HELD.set(place)
        with gate.admitted(), other.admitted():
            assert not free
        place.leave()

    thread = threading.Thread(target=serve)  # a thread has a context of its own
    thread.start()
    thread.join(DEADLINE)

    assert free == [True]
    assert gate.try_enter() is not None


def test_nobody_waits_longer_than_promised() -> None:
    gate = ConcurrencyLimit("at work", clock=ManualClock(), places=1, waiting=1, seconds=0.01)
    with gate.admitted(), pytest.raises(Overloaded), gate.admitted():
        pass

    with gate.admitted():
        pass


def test_one_owner_leaves_places_to_others() -> None:
    gate = ConcurrencyLimit("at work", clock=ManualClock(), places=3, share=2)
    assert gate.try_enter("greedy") is not None
    place = gate.try_enter("greedy")
    assert place is not None

    with pytest.raises(Overloaded, match="2 at work already for one client"):
        gate.enter("greedy")
    assert gate.try_enter("modest") is not None
    place.leave()
    assert gate.try_enter("greedy") is not None
    assert gate.inside == 3


def test_the_owner_of_most_places_loses_its_newest_to_another() -> None:
    gate = ConcurrencyLimit("at work", clock=ManualClock(), places=4, displaces=True)
    places = [gate.enter("greedy") for _ in range(4)]
    lost: list[int] = []
    for number, place in enumerate(places):
        place.on_displaced = partial(lost.append, number)

    modest = [gate.enter("modest"), gate.enter("modest")]
    assert lost == [3, 2]
    with pytest.raises(Overloaded):  # both have two now
        gate.enter("modest")
    with pytest.raises(Overloaded):
        gate.enter("greedy")

    places[3].leave()  # it was lost already
    assert gate.inside == 4
    modest[0].leave()
    assert gate.inside == 3


def test_waiting_owners_are_admitted_in_turn_and_the_longest_line_makes_room() -> None:
    gate = ConcurrencyLimit("at work", clock=ManualClock(), places=1, waiting=3, seconds=30)
    place = gate.enter("greedy")
    order: list[str] = []
    refused: list[str] = []

    def wait(owner: str) -> None:
        try:
            with gate.admitted(owner):
                order.append(owner)
        except Overloaded:
            refused.append(owner)

    threads = [threading.Thread(target=wait, args=("greedy",)) for _ in range(3)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        while gate._waiting < number:
            time.sleep(0.001)
    threads.append(threading.Thread(target=wait, args=("modest",)))
    threads[-1].start()
    while not refused:
        time.sleep(0.001)
    place.leave()
    for thread in threads:
        thread.join(DEADLINE)

    assert refused == ["greedy"]
    assert order == ["greedy", "modest", "greedy"]


def test_one_owner_reads_one_long_body_at_a_time_and_short_ones_at_once() -> None:
    gates = default_limits(ManualClock())
    assert gates.readers is not None
    with gates.reading(QUICK_BYTES + 1, "greedy"):
        assert gates.readers.try_enter("greedy") is None
        with gates.reading(QUICK_BYTES, "greedy"), gates.reading(None, "modest"):
            assert gates.readers.inside == 2
    assert gates.readers.inside == 0


def test_an_error_inside_gives_the_place_back() -> None:
    gate = ConcurrencyLimit("at work", clock=ManualClock(), places=1)
    with pytest.raises(ZeroDivisionError), gate.admitted():
        raise ZeroDivisionError

    with gate.admitted():
        pass


def test_many_refusals_are_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    gate = ConcurrencyLimit("at work", clock=clock, places=1)

    for _ in range(50):
        assert gate.refusal()
    assert len(caplog.records) == 1
    clock.advance(10)
    assert gate.refusal()

    assert [record.__dict__["refused"] for record in caplog.records] == [1, 50]


def test_the_gates_leave_threads_for_those_who_only_read() -> None:
    gates = default_limits(ManualClock())
    assert gates.files is not None
    each = (gates.submits, gates.large_bodies, gates.downloads, gates.files)
    held = sum(gate.threads for gate in each)

    assert held <= SERVING_THREADS - 32


# --- the backlog


class Counted:
    """A queue that says it is as deep as it is told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.queue: Any = MemoryQueue(self.clock)
        self.backlog = QueueLimit(self.queue, clock=self.clock, limit=3)

    def deepen(self, chunks: int) -> None:
        self.queue.send(["{}"] * chunks)


def test_new_jobs_are_refused_while_the_queue_is_too_deep(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    counted.deepen(3)
    counted.backlog.admit()
    counted.deepen(1)
    counted.backlog.admit()  # it was looked at a moment ago

    counted.clock.advance(LOOK_SECONDS)
    with pytest.raises(Overloaded, match="4 chunks are waiting") as refused:
        counted.backlog.admit()
    assert refused.value.code == "backlog"

    for received in counted.queue.receive(at_most=4, wait=0):
        counted.queue.delete([received.receipt])
    counted.clock.advance(LOOK_SECONDS)
    counted.backlog.admit()
    said = [record.message.split()[0] for record in caplog.records]
    assert said == ["refusing", "taking"]


def test_a_queue_that_does_not_say_how_deep_it_is_stops_nobody() -> None:
    clock = ManualClock()
    queue: Any = Fused(MemoryQueue(clock), Fuse(breaks_at=0, error=ServiceBusy))

    QueueLimit(queue, clock=clock, limit=1).admit()


def test_a_deep_queue_refuses_new_problems_and_still_answers_known_ones() -> None:
    site = Site(max_backlog=0)
    world = site.world
    known = site.done()
    joined = site.stored(site.post({**SMALL, "seed": 5}))
    world.clock.advance(LOOK_SECONDS)

    refused = site.post({**SMALL, "seed": 6})

    assert refused.status_code == 503
    assert refused.json is not None
    assert refused.json["code"] == "backlog"
    assert 2 <= int(refused.headers["Retry-After"]) <= 5
    assert world.ledger.unfinished() == [joined.id]
    assert site.post(SMALL).json["id"] == known.id  # type: ignore[index]
    assert site.post({**SMALL, "seed": 5}).status_code == 202
