"""The doubles' own manners: what they do with time, which the shared suites cannot turn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.adapters.memory import (
    ManualClock,
    MemoryCache,
    MemoryEc2,
    MemoryLedger,
    MemoryQueue,
    MemoryStore,
)
from gridwell.engine.errors import InvalidJob, NoCapacity, ServiceDenied, WrongState
from gridwell.engine.job import JobState
from gridwell.engine.limits import MESSAGE_BYTES
from gridwell.fleet.model import InstanceState
from tests.harness.builders import NOW, OTHER_ATTEMPT, a_job, a_register
from tests.kinds.grid.strategies import minima

if TYPE_CHECKING:
    import random

    from gridwell.kinds.grid.minimum import Minimum


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


# --- clock


def test_time_moves_only_by_hand(clock: ManualClock) -> None:
    clock.sleep(2.5)

    assert clock.now() == clock.monotonic() == NOW + 2.5
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)


# --- queue


def test_a_received_message_is_hidden_until_its_lease_ends(clock: ManualClock) -> None:
    queue = MemoryQueue(clock, visibility=60)
    queue.send(["a"])
    first = queue.receive(at_most=1, wait=0)

    clock.advance(59)
    assert queue.receive(at_most=1, wait=0) == []
    clock.advance(1)
    second = queue.receive(at_most=1, wait=0)

    assert [r.receives for r in first + second] == [1, 2]
    queue.delete([first[0].receipt])  # aged: deletes nothing
    assert queue.depth().in_flight == 1
    queue.delete([second[0].receipt])
    assert queue.depth().in_flight == 0


def test_a_lease_can_be_lengthened_and_given_back(clock: ManualClock) -> None:
    queue = MemoryQueue(clock, visibility=60)
    queue.send(["a"])
    (held,) = queue.receive(at_most=1, wait=0)
    clock.advance(50)
    queue.extend([held.receipt], 60)
    clock.advance(50)
    assert queue.depth().in_flight == 1

    queue.extend([held.receipt], 0)

    assert queue.depth().visible == 1
    queue.extend([held.receipt], 60)  # no longer held: passed over
    assert queue.depth().visible == 1


def test_a_message_received_too_often_dies(clock: ManualClock) -> None:
    dead = MemoryQueue(clock)
    queue = MemoryQueue(clock, visibility=1, max_receives=3, dead=dead)
    queue.send(["poison"])
    for _ in range(3):
        assert len(queue.receive(at_most=1, wait=0)) == 1
        clock.advance(1)

    assert queue.receive(at_most=1, wait=0) == []

    assert [r.body for r in dead.receive(at_most=1, wait=0)] == ["poison"]


def test_a_long_poll_waits_its_time_and_no_longer(clock: ManualClock) -> None:
    assert MemoryQueue(clock).receive(at_most=1, wait=20) == []

    assert clock.now() == pytest.approx(NOW + 20)


def test_too_large_bodies_are_refused_by_position(clock: ManualClock) -> None:
    queue = MemoryQueue(clock)

    assert queue.send(["a", "é" * MESSAGE_BYTES, "b" * MESSAGE_BYTES]) == [1]


@pytest.mark.parametrize("at_most", [0, 11])
def test_a_receive_gives_one_to_ten(clock: ManualClock, at_most: int) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        MemoryQueue(clock).receive(at_most=at_most, wait=0)


# --- store and cache


def test_an_object_is_stored_once_even_if_it_is_the_same_again() -> None:
    store, data = MemoryStore(), b"data"

    assert store.put_new("key", data, content_type="x/y")
    assert not store.put_new("key", data, content_type="x/y")
    assert not store.put_new("key", b"other", content_type="x/y")
    assert store.get("key") == data


def test_a_cached_value_goes_when_its_time_is_up(clock: ManualClock) -> None:
    cache = MemoryCache(clock)
    cache.set("a", b"1", seconds=10)
    clock.advance(9.9)
    assert cache.get_many(["a", "b"]) == {"a": b"1"}

    clock.advance(0.1)

    assert cache.get_many(["a"]) == {}


# --- ledger


@given(
    st.lists(
        st.tuples(st.frozensets(st.integers(0, 7), min_size=1), st.none() | minima), max_size=6
    ),
    st.randoms(use_true_random=False),
)
def test_merges_in_any_order_and_twice_give_one_state(
    merges: list[tuple[frozenset[int], Minimum | None]], order: random.Random
) -> None:
    job = a_job(chunks=8)

    def merged(sequence: list[tuple[frozenset[int], Minimum | None]]) -> tuple[object, ...]:
        ledger = MemoryLedger()
        ledger.create(job)
        for chunks, best in sequence:
            ledger.merge(job.id, job.attempt, chunks, a_register(best), worker="w", now=NOW)
        stored = ledger.read(job.id)
        assert stored is not None
        return stored.state, stored.done, stored.best

    shuffled = merges * 2
    order.shuffle(shuffled)

    assert merged(shuffled) == merged(merges)


def test_a_lost_reply_of_create_is_recognised_and_a_second_submitter_is_not() -> None:
    ledger, job = MemoryLedger(), a_job()

    assert ledger.create(job)
    assert ledger.create(job)
    assert not ledger.create(a_job(attempt=OTHER_ATTEMPT))


def test_only_the_attempt_that_was_seen_is_replaced() -> None:
    ledger, job = MemoryLedger(), a_job(state=JobState.CANCELLED)
    ledger.create(job)
    first, second = a_job(attempt="1" * 16), a_job(attempt="2" * 16)

    assert ledger.create(first, replaces=job)
    assert not ledger.create(second, replaces=job)
    assert ledger.read(job.id) == first


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", " 1"])
def test_a_strange_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidJob, match="is not the cursor of a page"):
        MemoryLedger().recent("public", limit=5, cursor=cursor)


def test_pages_follow_each_other_without_gap_or_overlap() -> None:
    ledger = MemoryLedger()
    for k in range(5):
        ledger.create(replace(a_job(), id=f"{k:032x}", created=NOW + k))

    first = ledger.recent("public", limit=3)
    second = ledger.recent("public", limit=3, cursor=first.cursor)

    assert [job.created - NOW for job in first.jobs + second.jobs] == [4, 3, 2, 1, 0]
    assert second.cursor is None


# --- EC2


def test_states_last_as_long_as_they_should(clock: ManualClock) -> None:
    ec2 = MemoryEc2(clock, boot_seconds=25, stop_seconds=30)

    def state() -> InstanceState:
        return ec2.instances()[0].state

    instance = ec2.launch(0, "token")
    assert state() is InstanceState.PENDING
    clock.advance(25)
    assert state() is InstanceState.RUNNING
    ec2.power_off(instance)
    assert state() is InstanceState.STOPPING
    with pytest.raises(WrongState, match="stopping"):
        ec2.start(instance)
    clock.advance(30)
    assert state() is InstanceState.STOPPED
    ec2.start(instance)
    assert (state(), ec2.instances()[0].launched) == (InstanceState.PENDING, NOW + 55)
    ec2.terminate(instance)
    assert state() is InstanceState.SHUTTING_DOWN
    clock.advance(30)
    assert state() is InstanceState.TERMINATED
    with pytest.raises(WrongState, match="terminated"):
        ec2.start(instance)


def test_a_token_launches_one_instance(clock: ManualClock) -> None:
    ec2 = MemoryEc2(clock)

    assert ec2.launch(0, "a") == ec2.launch(0, "a") != ec2.launch(1, "b")
    assert len(ec2.instances()) == 2


def test_capacity_ends_and_a_missing_image_is_told(clock: ManualClock) -> None:
    ec2 = MemoryEc2(clock, capacity=1)
    ec2.launch(0, "a")
    with pytest.raises(NoCapacity):
        ec2.launch(1, "b")
    with pytest.raises(ServiceDenied, match="bake one first"):
        MemoryEc2(clock, release=None).launch(0, "a")
