"""What instances cost, by looks at them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.fleet.billing import Bill, cost


def looks(*seen: tuple[float, dict[str, float]]) -> Bill:
    bill, last = Bill(), None
    for now, running in seen:
        bill = bill.after(running, now=now, last=last)
        last = now
    return bill


def test_a_start_is_billed_for_a_minute_at_least() -> None:
    bill = looks((0, {}), (10, {"a": 5.0}), (20, {}))

    assert bill.seconds(20) == 60.0


def test_a_run_is_billed_by_the_second_from_the_look_before_it_was_seen() -> None:
    bill = looks((0, {}), (10, {"a": -30.0}), (200, {"a": -30.0}), (210, {}))

    assert bill.seconds(9999) == 210.0


def test_what_still_runs_is_billed_until_now() -> None:
    assert looks((0, {"a": 0.0, "b": 0.0})).seconds(100) == 200.0


def test_a_restart_between_two_looks_is_another_start() -> None:
    bill = looks((0, {"a": 0.0}), (10, {"a": 8.0}))

    assert bill.seconds(10) == 120.0


def test_a_fleet_that_ran_before_the_first_look_is_billed_from_its_start() -> None:
    assert looks((500, {"a": 100.0})).seconds(500) == 400.0


def test_an_hour_costs_what_an_hour_costs() -> None:
    assert cost(3600.0, dollars_per_hour=0.089) == pytest.approx(0.089)


@given(st.lists(st.sets(st.sampled_from("abc")), min_size=1, max_size=20))
def test_a_bill_never_shrinks_nor_is_below_what_was_seen_running(seen: list[set[str]]) -> None:
    bill, last, before = Bill(), None, 0.0
    started: dict[str, float] = {}
    for number, names in enumerate(seen):
        now = 10.0 * number
        started = {name: started.get(name, now) for name in names}
        bill = bill.after(started, now=now, last=last)
        last = now
        assert bill.seconds(now) >= before
        before = bill.seconds(now)

    assert before >= 10.0 * sum(len(names) for names in seen[:-1])
    assert Bill.decode(bill.encode()) == bill
