from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.access.quota import (
    DAY_SECONDS,
    Quota,
    check_job,
    check_unfinished,
    day_of,
    estimate,
    over_budget,
)
from gridwell.engine.errors import InvalidJob, OverQuota
from gridwell.kinds.grid import cost
from gridwell.kinds.grid.grid import Grid

GRID = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (100, 90, 80))
SIDES = st.integers(1, 1000)


@given(SIDES, SIDES, SIDES, st.integers(1, 1_000_000))
def test_an_estimate_is_the_cost_tables_and_never_nothing(x: int, y: int, z: int, n: int) -> None:
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (x, y, z))

    found = estimate(grid, n)

    assert found >= 0.001
    assert found == pytest.approx(cost.seconds(grid.shape, n), abs=0.001)


def test_a_job_that_costs_too_much_is_told_its_estimate_the_limit_and_the_remedy() -> None:
    check_job(Quota(job_seconds=12.0), 12.0, GRID, 5000)

    with pytest.raises(InvalidJob) as caught:
        check_job(Quota(job_seconds=12.0), 12.5, GRID, 5000)

    (fault,) = caught.value.faults
    for words in ("100 x 90 x 80 points", "5000 atoms", "12.5 s", "12 s", "fewer points or atoms"):
        assert words in fault.detail


def test_no_limit_refuses_nobody() -> None:
    check_job(Quota(), 1e9, GRID, 5000)
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
