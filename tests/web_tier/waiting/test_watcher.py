"""The watcher's thread and its locks; what it decides is tested in `test_watch`."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gridwell.engine.job import CHUNK_FAILED, JobError, JobState
from tests.harness.builders import NOW
from tests.harness.waiting import DEADLINE, await_true
from tests.harness.web import Fuse, Fused, World
from tests.harness.web_http import a_service
from web_tier.waiting.watcher import Watcher, await_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from gridwell.engine.job import Job
    from gridwell.engine.ports import Cache

PATIENCE = DEADLINE
FAILED = JobError(CHUNK_FAILED, "why")


@dataclass
class Waiting:
    """A request that waits in a thread of its own."""

    watcher: Watcher
    job: Job
    seconds: float = PATIENCE
    owner: str = ""
    answers: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._wait)
        self.thread.start()

    def _wait(self) -> None:
        self.answers.append(self.watcher.wait(self.job, self.seconds, self.owner))

    def end(self) -> bool:
        self.thread.join(PATIENCE / 2)
        assert not self.thread.is_alive()
        return self.answers[0]


def a_watcher(world: World, *, capacity: int = 8, cache: Cache | None = None) -> Watcher:
    return Watcher(
        cache=world.cache if cache is None else cache,
        ledger=world.ledger,
        clock=world.clock,
        capacity=capacity,
    )


def until_waiting(watcher: Watcher, count: int) -> None:
    await_true(lambda: len(watcher._watch) >= count, pause=0.001)


def test_requests_wake_when_the_cache_shows_the_end() -> None:
    world = World()
    job = world.submit()
    watcher = a_watcher(world)
    requests = [Waiting(watcher, job) for _ in range(3)]
    until_waiting(watcher, 3)

    world.finisher().fail(job, FAILED)

    assert [request.end() for request in requests] == [True] * 3  # no time passed for the ledger
    watcher.close()


def test_requests_wake_by_the_ledger_when_the_cache_forgets_everything() -> None:
    world = World()
    job = world.submit()
    watcher = a_watcher(world)
    request = Waiting(watcher, job)
    until_waiting(watcher, 1)
    world.ledger.fail(job.id, job.attempt, FAILED, now=1.0)

    world.clock.advance(1.1)

    assert request.end()
    watcher.close()


def test_however_many_wait_one_call_asks_for_all() -> None:
    world = World()
    calls: list[list[str]] = []

    class Counting:
        def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
            calls.append([key.split(":", 1)[1] for key in keys])
            return world.cache.get_many(keys)

    job = world.submit()
    watcher = a_watcher(world, cache=Counting())  # type: ignore[arg-type]
    requests = [Waiting(watcher, job) for _ in range(8)]
    until_waiting(watcher, 8)
    calls.clear()

    watcher.step()

    assert calls[0] == [f"final:{job.id}", f"progress:{job.id}"]
    watcher.close()
    assert [request.end() for request in requests] == [True] * 8


def test_no_thread_runs_and_nothing_is_asked_before_the_first_wait() -> None:
    world = World()
    watcher = a_watcher(world)

    assert watcher._thread is None
    watcher.step()


def test_nobody_waits_beyond_the_capacity() -> None:
    world = World()
    job = world.submit()
    watcher = a_watcher(world, capacity=1)
    request = Waiting(watcher, job)
    until_waiting(watcher, 1)

    assert watcher.wait(job, PATIENCE) is False
    watcher.close()
    assert request.end()


def test_closing_wakes_everybody_ends_the_thread_and_lets_nobody_wait() -> None:
    world = World()
    job = world.submit()
    watcher = a_watcher(world)
    request = Waiting(watcher, job)
    until_waiting(watcher, 1)
    thread = watcher._thread
    assert thread is not None

    watcher.close()

    assert request.end()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert watcher.wait(job, PATIENCE) is False


def test_an_idle_watcher_closes_too() -> None:
    world = World()
    watcher = a_watcher(world)
    Waiting(watcher, world.submit(), seconds=0.0).end()
    thread = watcher._thread
    assert thread is not None

    watcher.close()

    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_ledger_that_is_away_is_asked_again_a_second_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    job = world.submit()
    ledger = Fused(world.ledger, Fuse(breaks_at=1))  # the secret is read first
    watcher = Watcher(cache=world.cache, ledger=ledger, clock=world.clock, capacity=8)
    world.ledger.fail(job.id, job.attempt, FAILED, now=1.0)
    request = Waiting(watcher, job)
    until_waiting(watcher, 1)

    with caplog.at_level(logging.WARNING):
        deadline = time.monotonic() + PATIENCE
        while not request.answers and time.monotonic() < deadline:
            world.clock.advance(1.0)
            time.sleep(0.03)

    assert request.end()
    assert sum(record.action == "watch.unread" for record in caplog.records) == 1  # type: ignore[attr-defined]
    watcher.close()


class Slow:
    """A watcher in whose waits, which all end early, virtual time passes."""

    def __init__(self, world: World, seconds: float) -> None:
        self._world = world
        self._seconds = seconds

    def wait(self, job: Job, seconds: float) -> bool:
        del job
        self._world.clock.advance(min(seconds, self._seconds))
        return True


def waited(world: World, job: Job, read: Callable[[str], Job | None]) -> tuple[Job, bool]:
    slow = Slow(world, 4)
    return await_end(job, 10, watcher=slow, clock=world.clock, read=read)


def test_a_wake_up_that_was_no_end_goes_on_waiting_until_the_time_is_up() -> None:
    world = World()
    job = world.submit()
    reads: list[float] = []

    def read(_: str) -> Job | None:
        reads.append(world.clock.now() - NOW)
        return world.job(job)

    assert waited(world, job, read) == (job, True)
    assert reads == [4, 8, 10]


def test_a_job_that_vanishes_while_it_is_awaited_is_shown_as_last_seen() -> None:
    world = World()
    job = world.submit()

    assert waited(world, job, lambda _: None) == (job, True)
    assert world.clock.now() == NOW + 4


def test_an_ended_job_is_not_awaited() -> None:
    world = World()
    job = world.submit()
    world.finisher().fail(job, FAILED)

    ended, granted = await_end(
        world.job(job),
        10,
        watcher=a_watcher(world, capacity=0),
        clock=world.clock,
        read=a_service(world).read,
    )

    assert (ended.state, granted) == (JobState.FAILED, True)


def test_followers_have_places_of_their_own() -> None:
    world = World()
    job = world.submit()
    watcher = Watcher(
        cache=world.cache, ledger=world.ledger, clock=world.clock, capacity=0, streams=1
    )

    first, second = watcher.follow(job), watcher.follow(job)
    assert first is not None
    assert second is None
    assert not watcher.wait(job, 0.0)

    watcher.leave(first)
    watcher.leave(first)  # once is enough
    third = watcher.follow(job)
    assert third is not None
    assert watcher.follow(job) is None
    watcher.leave(third)
    watcher.close()


def test_the_owner_of_most_streams_loses_its_newest_to_another() -> None:
    world = World()
    job = world.submit()
    watcher = Watcher(
        cache=world.cache, ledger=world.ledger, clock=world.clock, capacity=0, streams=3
    )
    greedy = [watcher.follow(job, "greedy") for _ in range(3)]
    modest = watcher.follow(job, "modest")

    assert [ticket is not None and ticket.displaced for ticket in greedy] == [False, False, True]
    assert modest is not None
    assert watcher.follow(job, "greedy") is None
    assert watcher.follow(job, "modest") is None  # it would have as many as the other then
    assert watcher.streaming == 3
    for ticket in (*greedy, modest):
        assert ticket is not None
        watcher.leave(ticket)
    assert watcher.streaming == 0
    watcher.close()


def test_the_owner_of_most_waits_has_its_newest_ended_early_for_another() -> None:
    world = World()
    job = world.submit()
    watcher = a_watcher(world, capacity=2)
    greedy = []
    for count in (1, 2):
        greedy.append(Waiting(watcher, job, owner="greedy"))
        until_waiting(watcher, count)

    modest = Waiting(watcher, job, owner="modest")

    assert greedy[1].end() is False
    until_waiting(watcher, 2)
    assert watcher.wait(job, PATIENCE, "greedy") is False
    world.finisher().fail(job, FAILED)
    assert greedy[0].end() is modest.end() is True
    watcher.close()


def test_nobody_follows_a_process_that_is_about_to_end() -> None:
    world = World()
    watcher = Watcher(
        cache=world.cache, ledger=world.ledger, clock=world.clock, capacity=0, streams=1
    )
    watcher.close()

    assert watcher.follow(world.submit()) is None
