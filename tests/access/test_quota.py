from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.quota import (
    DAY_SECONDS,
    Quota,
    charged,
    check_job,
    check_unfinished,
    day_of,
    over_budget,
)
from gridwell.engine.errors import InvalidJob, OverQuota

WHAT = {"size": "100 x 90 x 80 points with 5000 atoms", "remedy": "take fewer points or atoms"}


@given(st.floats(0, 1e9))
def test_a_charge_is_the_estimate_in_whole_milliseconds_and_never_nothing(seconds: float) -> None:
    found = charged(seconds)

    assert found >= 0.001
    assert found == pytest.approx(seconds, abs=0.001)


def test_a_job_that_costs_too_much_is_told_its_estimate_the_limit_and_the_remedy() -> None:
    check_job(Quota(job_seconds=12.0), 12.0, **WHAT)

    with pytest.raises(InvalidJob) as caught:
        check_job(Quota(job_seconds=12.0), 12.5, **WHAT)

    (fault,) = caught.value.faults
    for words in ("100 x 90 x 80 points", "5000 atoms", "12.5 s", "12 s", "fewer points or atoms"):
        assert words in fault.detail


def test_no_limit_refuses_nobody() -> None:
    check_job(Quota(), 1e9, **WHAT)
    check_unfinished(Quota(), 10**9)


@given(st.integers(1, 100), st.integers(0, 200))
def test_so_many_jobs_may_be_unfinished_at_once(most: int, unfinished: int) -> None:
    if unfinished < most:
        check_unfinished(Quota(unfinished=most), unfinished)
        return
    with pytest.raises(OverQuota, match=f"{most} may be at once") as caught:
        check_unfinished(Quota(unfinished=most), unfinished)
    assert (caught.value.code, caught.value.retry_after) == ("too_many_jobs", 5)


@given(st.floats(0, 4e9, exclude_min=True))
def test_a_spent_day_ends_at_the_next_midnight(now: float) -> None:
    error = over_budget(Quota(day_seconds=60.0), 59.5, 1.25, now)

    assert 1 <= error.retry_after <= DAY_SECONDS
    assert day_of(now + error.retry_after) == day_of(now) + 1
    assert "60 s" in str(error)
    assert "59.500 s are spent" in str(error)
    assert "1.250 s" in str(error)
