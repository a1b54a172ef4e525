"""What a stream of events says, and when: in virtual time, with a watcher that follows a script."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from gridwell.adapters.memory import ManualClock
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import JobState
from gridwell.kinds.grid.job_view import register_of
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.series import Series
from tests.harness.builders import ATTEMPT, OTHER_ATTEMPT, a_job
from tests.harness.web_keys import Keyed, key_id
from web_tier.auth.cookie import PLAIN_NAME
from web_tier.auth.key_cache import KEPT_SECONDS
from web_tier.jobs.cached_jobs import progress_of
from web_tier.kinds.grid.present import show_step
from web_tier.waiting.event_stream import (
    APART_SECONDS,
    CHECK_SECONDS,
    HEARTBEAT_SECONDS,
    LIFE_SECONDS,
    UNCHECKED_SECONDS,
    stream,
)
from web_tier.waiting.wait_list import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.job import Job

JOB = a_job(chunks=4)
DONE = replace(
    JOB,
    state=JobState.DONE,
    done=frozenset(range(4)),
    result=register_of(Minimum(-1.0, 3)),
    finished=1.0,
)


@dataclass
class Script:
    """A watcher and an event in one: each wait takes the next act of the script."""

    clock: ManualClock
    acts: list[Callable[[Waiter], bool]]
    rooms: int = 9
    left: int = 0
    ticket: Waiter = field(init=False)

    def follow(self, job: Job) -> Waiter | None:
        self.rooms -= 1
        if self.rooms < 0:
            return None
        self.ticket = Waiter(
            job=job.id, attempt=job.attempt, read_at=0.0, follows=True, event=cast("Any", self)
        )
        return self.ticket

    def leave(self, ticket: Waiter) -> None:
        assert ticket is self.ticket
        self.left += 1

    def wait(self, seconds: float) -> bool:
        if not self.acts:
            raise AssertionError("the stream waits longer than the script goes")
        if self.acts.pop(0)(self.ticket):
            return True
        self.clock.advance(seconds)
        return False

    def clear(self) -> None:
        pass

    def set(self) -> None:
        pass


def done_chunks(*chunks: int) -> Callable[[Waiter], bool]:
    def act(ticket: Waiter) -> bool:
        ticket.move(progress_of(replace(JOB, done=frozenset(chunks))))
        return True

    return act


def ends(ticket: Waiter) -> bool:
    ticket.end()
    return True


def silence(_: Waiter) -> bool:
    return False


def told(
    *acts: Callable[[Waiter], bool],
    job: Job = JOB,
    then: list[Job | None] | None = None,
    seen: str | None = None,
    clock: ManualClock | None = None,
    rooms: int = 9,
) -> list[str]:
    clock = clock or ManualClock()
    reads = iter([DONE] if then is None else then)
    script = Script(clock, list(acts), rooms)
    ticket = None if job.state.terminal else script.follow(job)
    events = stream(
        job,
        ticket,
        seen=seen,
        watcher=cast("Any", script),
        clock=clock,
        read=lambda _: next(reads),
        show=show_step,
    )
    words = list(events)
    assert script.left == rooms - max(0, script.rooms)
    return words[1:]


def data(event: str) -> dict[str, Any]:
    line = next(line for line in event.splitlines() if line.startswith("data: "))
    fields: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return fields


def test_a_stream_tells_how_things_stand_then_each_step_then_the_end() -> None:
    events = told(done_chunks(0), done_chunks(0, 2), ends)

    assert [data(event)["finished"] for event in events] == [[], [0], [0, 2], [0, 1, 2, 3]]
    assert [data(event)["state"] for event in events] == ["queued", "running", "running", "done"]
    assert events[-1].splitlines()[1] == "event: end"
    assert all(event.endswith("\n\n") for event in events)


def test_a_job_that_has_ended_is_told_at_once() -> None:
    assert [data(event)["state"] for event in told(job=DONE)] == ["done"]


def test_ids_rise_and_one_that_the_client_has_is_not_sent_again() -> None:
    first, second, *_ = told(done_chunks(0), ends)
    assert first.splitlines()[0] == f"id: {ATTEMPT}-0-0"
    assert second.splitlines()[0] == f"id: {ATTEMPT}-1-0"

    again = told(ends, job=replace(JOB, done=frozenset({0})), seen=f"{ATTEMPT}-1-0")

    assert [data(event)["state"] for event in again] == ["done"]


def test_how_things_stand_is_told_once_though_the_watcher_says_it_again() -> None:
    events = told(done_chunks(), done_chunks(), done_chunks(0), done_chunks(0), ends)

    steps = [data(event)["points_done"] for event in events if "event: progress" in event]
    assert steps == [0, 16]


def test_each_point_of_a_series_is_a_step_that_no_chunk_shows() -> None:
    series = a_job(series=Series(6, 5.0, 1))

    def found(count: int) -> Callable[[Waiter], bool]:
        def act(ticket: Waiter) -> bool:
            ticket.move(progress_of(replace(series, reported=count)))
            return True

        return act

    events = told(found(2), found(3), ends, job=series, then=[replace(series, state=DONE.state)])

    assert [data(event)["series"]["found"] for event in events] == [0, 2, 3, 0]
    assert data(events[1]) | {"series": {"count": 6, "found": 2}} == data(events[1])
    assert [data(event)["state"] for event in events] == ["queued", "running", "running", "done"]
    assert len({event.splitlines()[0] for event in events[:3]}) == 3
    assert data(told(ends)[0])["series"] is None


def test_silence_is_filled_with_comments() -> None:
    clock = ManualClock()
    began = clock.monotonic()

    events = told(silence, silence, ends, clock=clock)

    assert [event for event in events if event.startswith(":")] == [": still there\n\n"] * 2
    assert clock.monotonic() - began == 2 * HEARTBEAT_SECONDS


def test_events_come_ten_times_a_second_at_most() -> None:
    clock = ManualClock()
    began = clock.monotonic()

    told(*(done_chunks(*range(k)) for k in (1, 2, 3)), ends, clock=clock)

    assert clock.monotonic() - began == pytest.approx(3 * APART_SECONDS, abs=1e-5)


def test_a_new_attempt_goes_on_in_the_same_stream() -> None:
    renewed = replace(JOB, attempt=OTHER_ATTEMPT, run=2)

    events = told(ends, ends, then=[renewed, DONE])

    ids = [event.splitlines()[0] for event in events]
    assert ids == [f"id: {ATTEMPT}-0-0", f"id: {OTHER_ATTEMPT}-0-0", f"id: {ATTEMPT}-4-0"]


def test_a_stream_ends_without_an_end_when_the_process_does() -> None:
    events = told(ends, then=[JOB])

    assert [event.splitlines()[1] for event in events] == ["event: progress"]


def test_a_stream_ends_when_there_is_no_room_or_its_job_is_gone() -> None:
    renewed = replace(JOB, attempt=OTHER_ATTEMPT, run=2)
    assert len(told(ends, then=[renewed], rooms=1)) == 1
    assert len(told(ends, then=[None])) == 1


def test_no_stream_lives_for_ever() -> None:
    clock = ManualClock()
    began = clock.monotonic()

    told(*[silence] * 1000, clock=clock)

    assert LIFE_SECONDS <= clock.monotonic() - began <= LIFE_SECONDS + HEARTBEAT_SECONDS


# Whether the caller may still see it.


def silent(*, is_allowed: Callable[[], bool], clock: ManualClock) -> list[str]:
    """The events of a stream on which nothing happens."""
    script = Script(clock, [silence] * 1000)
    events = stream(
        JOB,
        script.follow(JOB),
        seen=None,
        watcher=cast("Any", script),
        clock=clock,
        read=lambda _: JOB,
        is_allowed=is_allowed,
    )
    words = list(events)
    assert script.left == 1
    return words


def test_a_stream_ends_when_its_caller_may_no_longer_see_the_job() -> None:
    clock = ManualClock()
    began = clock.now()

    events = silent(is_allowed=lambda: clock.now() < began + 45, clock=clock)

    assert clock.now() - began <= 45 + CHECK_SECONDS + HEARTBEAT_SECONDS
    assert "event: end" not in events[-1]


def test_a_stream_whose_caller_cannot_be_checked_ends_in_a_minute() -> None:
    clock = ManualClock()
    began = clock.now()
    asked = 0

    def away() -> bool:
        nonlocal asked
        asked += 1
        raise ServiceBusy("throttled")

    silent(is_allowed=away, clock=clock)

    assert clock.now() - began <= UNCHECKED_SECONDS + HEARTBEAT_SECONDS
    assert asked > 1


def test_a_stream_outlives_a_ledger_that_is_away_for_a_moment() -> None:
    clock = ManualClock()
    began = clock.now()

    def shaky() -> bool:
        if int((clock.now() - began) / CHECK_SECONDS) % 2:
            raise ServiceBusy("throttled")
        return True

    silent(is_allowed=shaky, clock=clock)

    assert clock.now() - began >= LIFE_SECONDS


@pytest.mark.parametrize("end", ["revoke", "logout", "expire"])
def test_an_open_stream_ends_with_the_key_or_the_session_of_its_caller(end: str) -> None:
    keyed = Keyed()
    key = keyed.key(lifetime=3_600.0 if end == "expire" else None)
    if end == "logout":
        keyed.ask("POST", "/login", data={"key": key})
    job = keyed.job(key, done=False)
    clock = keyed.world.clock
    other = Keyed(ledger=keyed.ledger, world=keyed.world)  # the end comes to another process
    header = {"Authorization": f"Bearer {key}"} if end != "logout" else {}
    response = keyed.site.client.get(f"/v1/jobs/{job.id}/events", headers=header, buffered=False)
    events = iter(response.response)
    assert [next(events), next(events)]

    if end == "revoke":
        keyed.ledger.revoke_key(key_id(key), now=clock.now())
    elif end == "logout":
        cookie = keyed.site.client.get_cookie(PLAIN_NAME)
        assert cookie is not None
        other.site.client.set_cookie(PLAIN_NAME, cookie.value)
        assert other.ask("POST", "/logout").status_code == 303
    clock.advance(3_600.0 if end == "expire" else KEPT_SECONDS)

    assert list(events) == []
    response.close()
    assert keyed.site.watcher.streaming == 0
