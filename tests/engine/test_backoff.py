"""Delays between tries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.backoff import Backoff, BackoffPolicy

chances = st.floats(0, 1, exclude_max=True)


@st.composite
def policies(draw: st.DrawFn) -> BackoffPolicy:
    first = draw(st.floats(1e-3, 100))
    return BackoffPolicy(
        first=first,
        longest=first * draw(st.floats(1, 1e6)),
        jitter=(draw(st.floats(0, 2)), draw(st.floats(0, 2))),
        free=draw(st.integers(0, 5)),
    )


def test_delays_double_up_to_the_longest() -> None:
    policy = BackoffPolicy(first=0.5, longest=3.0)

    assert [policy.delay(failures) for failures in range(6)] == [0, 0.5, 1, 2, 3, 3]


def test_free_failures_cost_no_delay() -> None:
    policy = BackoffPolicy(first=1.0, longest=8.0, free=3)

    assert [policy.delay(failures) for failures in range(7)] == [0, 0, 0, 0, 1, 2, 4]


def test_jitter_may_go_either_way() -> None:
    rising = BackoffPolicy(first=4.0, longest=4.0, jitter=(0.75, 1.25))
    falling = BackoffPolicy(first=4.0, longest=4.0, jitter=(1.0, 0.5))

    assert [rising.delay(1, chance) for chance in (0.0, 0.5)] == [3.0, 4.0]
    assert [falling.delay(1, chance) for chance in (0.0, 0.5)] == [4.0, 3.0]


@given(policies(), st.integers(0, 10**6), chances)
def test_a_delay_is_finite_and_between_the_jitters_bounds(
    policy: BackoffPolicy, failures: int, chance: float
) -> None:
    most = policy.longest * max(policy.jitter)

    assert 0 <= policy.delay(failures, chance) <= most * (1 + 1e-12)


@given(policies(), st.integers(0, 200), chances)
def test_a_delay_never_falls_with_more_failures(
    policy: BackoffPolicy, failures: int, chance: float
) -> None:
    assert policy.delay(failures, chance) <= policy.delay(failures + 1, chance)


@pytest.mark.parametrize(
    "options",
    [
        {"first": 0.0, "longest": 1.0},
        {"first": 2.0, "longest": 1.0},
        {"first": 1.0, "longest": float("inf")},
        {"first": 1.0, "longest": float("nan")},
        {"first": 1.0, "longest": 1.0, "jitter": (-0.1, 1.0)},
        {"first": 1.0, "longest": 1.0, "free": -1},
    ],
)
def test_a_policy_without_sense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"delays|jitter|free"):
        BackoffPolicy(**options)  # type: ignore[arg-type]


def test_a_backoff_grows_with_failures_in_a_row_and_shrinks_with_time() -> None:
    backoff = Backoff(BackoffPolicy(first=1.0, longest=30.0, jitter=(0.5, 1.0)))
    assert backoff.left(0.0) == 0

    backoff.failed(10.0, 0.5)
    assert backoff.left(10.0) == 0.75
    assert backoff.left(10.5) == 0.25
    backoff.failed(11.0, 0.5)

    assert backoff.left(11.0) == 1.5
    assert backoff.left(13.0) == 0


def test_a_success_forgets_the_failures_and_not_the_delay_that_has_begun() -> None:
    backoff = Backoff(BackoffPolicy(first=1.0, longest=30.0))
    for _ in range(3):
        backoff.failed(0.0)

    backoff.succeeded()

    assert backoff.left(0.0) == 4.0
    backoff.failed(10.0)
    assert backoff.left(10.0) == 1.0
