"""When leases are extended, as a pure rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app_tier.worker.held_tasks import (
    HARD_LIMIT_SECONDS,
    LEASE_SECONDS,
    RETRY,
    Renewal,
    TaskLease,
)

LEASE = TaskLease.begin(1000.0)


def test_a_young_lease_is_left_alone() -> None:
    assert LEASE.renewal(1029.0, 5) is Renewal.KEEP


def test_a_lease_is_extended_while_several_tries_are_left() -> None:
    assert LEASE.renewal(1030.0, 5) is Renewal.EXTEND


def test_a_chunk_that_did_not_move_since_the_last_extension_is_not_extended() -> None:
    extended = LEASE.extended(1030.0, 5)

    assert extended.renewal(1075.0, 5) is Renewal.KEEP
    assert extended.renewal(1075.0, 6) is Renewal.EXTEND
    assert extended.renewal(1090.0, 6) is Renewal.GIVE_UP


@given(st.lists(st.floats(0.1, 20.0), min_size=1, max_size=200))
def test_no_chunk_is_held_longer_than_the_hard_limit_nor_past_its_lease(gaps: list[float]) -> None:
    now, lease = 1000.0, LEASE
    for moves, gap in enumerate(gaps, start=1):
        now += gap
        renewal = lease.renewal(now, moves)
        if renewal is Renewal.GIVE_UP:
            assert now >= min(1000.0 + HARD_LIMIT_SECONDS, lease.ends)
            return
        assert now < lease.ends
        if renewal is Renewal.EXTEND:
            lease = lease.extended(now, moves)
        assert now - 1000.0 < HARD_LIMIT_SECONDS


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_failure_waits_about_one_lease_at_most(receives: int, chance: float) -> None:
    assert 1.5 <= RETRY.delay(receives, chance) <= 1.25 * LEASE_SECONDS


def test_failures_wait_twice_as_long_each_time_and_not_in_step() -> None:
    assert [RETRY.delay(n, 0.5) for n in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]
    assert RETRY.delay(3, 0.0) < RETRY.delay(3, 0.5) < RETRY.delay(3, 0.99)
