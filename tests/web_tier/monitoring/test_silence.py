"""For how long another program has been silent, whatever its clock says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridwell.adapters.memory import ManualClock
from tests.harness.builders import NOW
from web_tier.monitoring.silence import Silence


def test_before_a_change_was_seen_the_time_that_was_written_counts() -> None:
    clock = ManualClock(NOW)
    silence = Silence(clock)

    assert silence.seconds("view", "a", at=NOW - 90) == 90
    clock.advance(5)
    assert silence.seconds("view", "a", at=NOW - 90) == 95


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(0, 1000))
def test_after_a_change_was_seen_only_our_own_clock_counts(
    first: float, second: float, passed: float
) -> None:
    clock = ManualClock(NOW)
    silence = Silence(clock)
    silence.seconds("view", "a", at=NOW + first)
    clock.advance(10)
    assert silence.seconds("view", "b", at=NOW + second) == 0
    clock.advance(passed)

    assert abs(silence.seconds("view", "b", at=NOW + second) - passed) < 1e-3


@given(st.floats(0, 1e9), st.floats(0, 1000))
def test_a_time_to_come_says_nothing(ahead: float, passed: float) -> None:
    clock = ManualClock(NOW)
    silence = Silence(clock)
    silence.seconds("view", "a", at=NOW + ahead + 1000)
    clock.advance(passed)

    assert abs(silence.seconds("view", "a", at=NOW + ahead + 1000) - passed) < 1e-3
