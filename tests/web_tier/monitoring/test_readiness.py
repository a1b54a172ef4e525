"""Whether a web process can serve."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from gridwell.adapters.memory import ManualClock, MemoryCache
from gridwell.engine.errors import ServiceBusy, ServiceDenied
from tests.harness.web import World
from tests.harness.web_http import Site
from web_tier.collector.heartbeat import collector_beat
from web_tier.monitoring.readiness import SILENT_SECONDS, Readiness
from web_tier.monitoring.timed_checks import KEPT_SECONDS, Checks


class Broken:
    """A port of which every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _: str) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            raise self._error

        return call


def readiness(world: World, **changes: Any) -> Readiness:
    ports: dict[str, Any] = {
        "ledger": world.ledger,
        "store": world.store,
        "chunks": world.chunks,
        "cache": world.cache,
        "fleet": world.ledger,
    }
    return Readiness(**(ports | changes), name="f", clock=world.clock)


def collecting(world: World, ago: float = 0.0) -> World:
    now = world.clock.now() - ago
    world.ledger.beat(collector_beat("f", now=now, merged=3, version="1"))
    return world


def test_a_process_whose_ports_answer_is_ready() -> None:
    ready = readiness(collecting(World())).look()

    assert (ready.problems, ready.notes) == ({}, {})


@pytest.mark.parametrize("ahead", [-600.0, -61.0, 600.0, 1e9])
def test_a_collector_is_judged_by_its_signs_of_life_and_not_by_its_clock(ahead: float) -> None:
    world = World()
    looks = readiness(world)
    notes = []
    for _ in range(3):
        collecting(world, -ahead)
        notes.append("collector" in looks.look().notes)
        world.clock.advance(10)
    world.clock.advance(SILENT_SECONDS)
    silent = looks.look().notes

    assert notes == [ahead < 0, False, False]  # until a change is seen its time is all there is
    assert "collector" in silent


@pytest.mark.parametrize(
    ("port", "name"), [("ledger", "ledger"), ("store", "store"), ("chunks", "queue")]
)
def test_without_any_of_what_jobs_need_it_is_not(port: str, name: str) -> None:
    broken = Broken(ServiceDenied("no such thing; create the stack"))

    ready = readiness(collecting(World()), **{port: broken}).look()

    assert ready.problems == {name: "ServiceDenied: no such thing; create the stack"}


def test_without_memcached_it_is_ready_and_says_so() -> None:
    class Forgetful(MemoryCache):
        def set(self, key: str, value: bytes, *, seconds: int) -> None:
            pass

    ready = readiness(collecting(World()), cache=Forgetful(ManualClock())).look()

    assert ready.problems == {}
    assert set(ready.notes) == {"memcached"}


@pytest.mark.parametrize(("ago", "words"), [(None, "never"), (SILENT_SECONDS + 5, "65 s ago")])
def test_a_collector_that_is_silent_is_noted(ago: float | None, words: str) -> None:
    world = World()
    if ago is not None:
        collecting(world, ago)

    assert words in readiness(world).look().notes["collector"]


def test_the_route_answers_200_or_problem_details_with_503() -> None:
    site = Site()
    good = site.client.get("/readyz")
    broken = Site(readiness=readiness(World(), ledger=Broken(ServiceBusy("throttled"))))
    bad = broken.client.get("/readyz")

    assert good.json is not None
    assert (good.status_code, good.json["status"]) == (200, "ready")
    assert bad.json is not None
    assert (bad.status_code, bad.json["code"]) == (503, "not_ready")
    assert "ledger: ServiceBusy: throttled" in bad.json["detail"]
    assert bad.content_type == "application/problem+json"


def test_what_was_seen_counts_for_some_seconds() -> None:
    clock, asked = ManualClock(), []
    checks = Checks({"a": lambda: asked.append(1)}, clock=clock)

    checks.problems()
    checks.problems()
    clock.advance(KEPT_SECONDS)
    checks.problems()

    assert len(asked) == 2


def test_one_that_hangs_holds_nobody_up_and_is_not_asked_twice() -> None:
    clock, free, asked = ManualClock(), threading.Event(), []

    def hang() -> None:
        asked.append(1)
        free.wait(60)

    checks = Checks({"a": hang, "b": lambda: None}, clock=clock, seconds=0.05)
    first = checks.problems()
    clock.advance(KEPT_SECONDS)
    second = checks.problems()
    free.set()

    assert first == second == {"a": "no answer within 0.05 s"}
    assert len(asked) == 1
