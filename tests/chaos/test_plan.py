from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.plan import draw

KILLS = {"a killed": 1.0, "b killed": 3.0, "c killed": 2.0}


@given(seed=st.integers(0, 10**6), count=st.integers(3, 60))
def test_a_seed_gives_the_same_plan_with_every_kind_in_it(seed: int, count: int) -> None:
    others = {"frozen": 4, "emptied": 2}

    plan = draw(seed, kills=KILLS, others=others, late=("emptied",), count=count, pause=1.0)

    assert plan == draw(seed, kills=KILLS, others=others, late=("emptied",), count=count, pause=1.0)
    kinds = Counter(strike.kind for strike in plan)
    assert kinds.keys() == {*KILLS, *others}
    assert sum(strike.counts for strike in plan) == count
    assert all(kinds[kind] == times for kind, times in others.items())


@given(seed=st.integers(0, 10**6))
def test_what_takes_long_to_heal_comes_late(seed: int) -> None:
    plan = draw(seed, kills=KILLS, others={"emptied": 2}, late=("emptied",), count=30, pause=1.0)

    places = [place for place, strike in enumerate(plan) if strike.kind == "emptied"]
    assert min(places) >= 30 * 9 // 10


def test_a_strike_picks_one_of_those_that_are_there() -> None:
    plan = draw(1, kills=KILLS, others={}, count=100, pause=1.0)

    assert {strike.pick(3) for strike in plan} == {0, 1, 2}
