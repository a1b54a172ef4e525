"""Whose turn it is: the rule, and the hold on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.leadership import Leadership, claim, given_back
from gridwell.adapters.memory import ManualClock, MemoryLedger, WrongClock
from gridwell.engine.errors import ServiceBusy
from gridwell.fleet.model import Lease
from tests.autoscaler.decide.snapshots import NOW

leases = st.builds(
    Lease,
    owner=st.sampled_from(["us", "other"]),
    fence=st.integers(0, 2 * int(NOW)),
    expires=st.floats(NOW - 100, NOW + 100),
    renewal=st.integers(0, 1000),
    seconds=st.none() | st.floats(1, 100),
)


@given(st.none() | leases, st.floats(0, 200), st.floats(-1e9, 1e9))
def test_a_lease_is_taken_only_when_it_was_seen_unchanged_for_as_long_as_it_lasts(
    stored: Lease | None, unchanged: float, skew: float
) -> None:
    wanted = claim(stored, owner="us", now=NOW + skew, seconds=30.0, unchanged=unchanged)

    lasts = 30.0 if stored is None else max(30.0, stored.seconds or 0.0)
    others = stored is not None and stored.owner == "other" and unchanged < lasts
    assert (wanted is None) == others


@given(st.none() | leases)
def test_each_new_holder_has_a_higher_fence_and_a_renewal_the_same(stored: Lease | None) -> None:
    wanted = claim(stored, owner="us", now=NOW, seconds=30.0, unchanged=100.0)

    assert wanted is not None
    assert (wanted.owner, wanted.expires, wanted.seconds) == ("us", NOW + 30.0, 30.0)
    assert wanted.renewal > (-1 if stored is None else stored.renewal)
    if stored is not None and stored.owner == "us":
        assert wanted.fence == stored.fence
    else:
        assert wanted.fence > (-1 if stored is None else stored.fence)


def test_a_fence_grows_past_a_lease_that_was_lost_with_its_table() -> None:
    lost = claim(None, owner="them", now=NOW, seconds=30.0)
    anew = claim(None, owner="us", now=NOW + 31, seconds=30.0)

    assert lost is not None
    assert anew is not None
    assert anew.fence > lost.fence


def test_a_lease_given_back_is_taken_by_the_first_that_asks() -> None:
    ours = Lease(owner="us", fence=3, expires=NOW + 30, renewal=8)

    taken = claim(given_back(ours), owner="them", now=NOW, seconds=30.0)

    assert taken == Lease(
        owner="them", fence=int(NOW), expires=NOW + 30.0, renewal=10, seconds=30.0
    )


class Two:
    """Two autoscalers on one ledger, whose clocks may be set."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ledger = MemoryLedger()
        self.clocks = WrongClock(self.clock), WrongClock(self.clock)
        self.first, self.second = (
            Leadership(self.ledger, clock, owner=owner, seconds=30.0)
            for owner, clock in zip(("a", "b"), self.clocks, strict=True)
        )


@pytest.fixture
def two() -> Two:
    return Two()


def test_one_of_two_holds_the_lease_while_it_renews(two: Two) -> None:
    for _ in range(10):
        assert two.first.renew()
        assert not two.second.renew()
        assert (two.first.holds, two.second.holds) == (True, False)
        assert two.second.other is not None
        assert two.second.other.owner == "a"
        two.clock.advance(10)


def test_a_holder_stops_believing_before_another_may_take_over(two: Two) -> None:
    two.first.renew()
    believed = []
    for seconds in (23.9, 0.2):
        two.clock.advance(seconds)
        believed.append(two.first.holds)
    assert believed == [True, False]
    assert not two.second.renew()
    assert two.second.waits == 30.0
    two.clock.advance(29.9)
    assert not two.second.renew()
    two.clock.advance(0.2)

    assert two.second.renew()
    assert not two.first.renew()
    assert two.second.fence > two.first.fence


def test_a_clock_that_was_set_back_does_not_lengthen_a_lease(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.first.renew()
    two.clock.advance(25)
    monkeypatch.setattr(two.clock, "now", lambda: NOW)

    assert not two.first.holds


def test_an_owner_that_slept_too_long_goes_on_if_nobody_came(two: Two) -> None:
    two.first.renew()
    fence = two.first.fence
    two.clock.advance(1000)

    assert two.first.renew()
    assert two.first.fence == fence


def test_a_renewal_whose_reply_was_lost_is_found_at_the_next(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.first.renew()
    write = two.ledger.write_lease

    def lossy(lease: Lease, *, seen: Lease | None) -> bool:
        write(lease, seen=seen)
        raise ServiceBusy("the reply was lost")

    monkeypatch.setattr(two.ledger, "write_lease", lossy)
    two.clock.advance(10)
    with pytest.raises(ServiceBusy):
        two.first.renew()
    assert two.first.holds  # by what it knew before
    monkeypatch.undo()
    two.clock.advance(10)

    assert two.first.renew()
    assert two.first.holds


def test_a_lease_emptied_from_the_table_is_taken_anew(two: Two) -> None:
    two.first.renew()
    two.ledger._lease = None

    assert two.first.renew()


def test_a_lease_given_back_is_taken_at_once(two: Two) -> None:
    two.first.renew()
    two.first.give_back()

    assert not two.first.holds
    assert two.second.renew()


def test_what_was_never_held_is_not_given_back(two: Two) -> None:
    two.first.renew()
    two.second.give_back()

    assert two.first.renew()


def test_a_lease_must_last_some_time() -> None:
    with pytest.raises(ValueError, match="lease_seconds is 0"):
        Leadership(MemoryLedger(), ManualClock(), owner="us", seconds=0)


skews = st.floats(-600, 600) | st.sampled_from([-1e9, 1e9])


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 40), skews), max_size=30))
def test_two_never_hold_the_lease_at_once(turns: list[tuple[bool, float, float]]) -> None:
    two = Two()
    for first, seconds, skew in turns:
        (two.first if first else two.second).renew()
        assert not (two.first.holds and two.second.holds)
        two.clock.advance(seconds)
        assert not (two.first.holds and two.second.holds)
        two.clocks[first].ahead = skew
        assert not (two.first.holds and two.second.holds)


@given(st.lists(st.tuples(st.floats(0.1, 23.9), skews, skews), min_size=1, max_size=30))
def test_a_holder_that_renews_in_time_keeps_its_lease_whatever_the_clocks(
    ticks: list[tuple[float, float, float]],
) -> None:
    two = Two()
    assert two.first.renew()
    for seconds, *ahead in ticks:
        two.clock.advance(seconds)
        for clock, skew in zip(two.clocks, ahead, strict=True):
            clock.ahead = skew
        assert not two.second.renew()
        assert two.first.renew()
        assert two.first.holds
        assert not two.second.renew()


def test_a_renewal_is_a_change_though_the_holders_clock_stands_still(two: Two) -> None:
    two.first.renew()
    for _ in range(10):
        two.clock.advance(10)
        two.clocks[0].ahead -= 10
        assert two.first.renew()
        assert not two.second.renew()


def test_a_lease_of_an_older_release_is_watched_like_any_other(two: Two) -> None:
    older = Lease(owner="old", fence=3, expires=NOW + 1e6)
    assert two.ledger.write_lease(older, seen=None)
    taken = []
    for _ in range(5):
        two.clock.advance(10)
        renewed = replace(older, expires=older.expires + 10)
        assert two.ledger.write_lease(renewed, seen=older)
        older = renewed
        taken.append(two.second.renew())
    for _ in range(4):
        two.clock.advance(10)
        taken.append(two.second.renew())

    assert taken == [False] * 7 + [True, True]
    assert two.second.fence > 3


def test_a_holder_whose_lease_lasts_longer_than_ours_is_given_its_own_time(two: Two) -> None:
    slow = Leadership(two.ledger, two.clock, owner="slow", seconds=300.0)
    slow.renew()
    assert not two.second.renew()
    two.clock.advance(299)
    assert not two.second.renew()
    two.clock.advance(1)

    assert two.second.renew()


def test_an_autoscaler_whose_clock_was_set_back_and_that_restarts_waits_for_one_lease(
    two: Two,
) -> None:
    two.first.renew()
    two.clocks[1].ahead = -250.0
    assert not two.second.renew()
    two.clock.advance(30)

    assert two.second.renew()


def test_a_suspended_holder_does_not_believe_in_its_lease(two: Two) -> None:
    two.first.renew()
    two.clocks[0].ahead += 600  # what suspension shows in a wall clock

    assert not two.first.holds
    assert two.first.renew()  # nobody came


def test_a_fence_that_slots_have_outgrown_is_raised_and_still_one_holds(two: Two) -> None:
    two.first.renew()
    fence = two.first.fence

    two.first.outgrow(fence)
    assert two.first.fence == fence
    two.first.outgrow(fence + 600)

    assert two.first.fence == fence + 601
    assert two.first.holds
    assert two.first.renew()
    assert not two.second.renew()


def test_an_autoscaler_that_lost_its_lease_raises_no_fence(two: Two) -> None:
    two.first.renew()
    assert not two.second.renew()
    two.clock.advance(30)
    assert two.second.renew()
    lease = two.ledger.lease()

    two.first.outgrow(two.second.fence + 5)

    assert two.ledger.lease() == lease
    assert not two.first.renew()
