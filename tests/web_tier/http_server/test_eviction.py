"""Which upload gives its room up: never one of an owner that holds less than another."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from web_tier.http_server.eviction import GOOD_RATE, HeldBytes, first_to_go

MIB = 1 << 20
helds = st.builds(
    HeldBytes,
    owner=st.sampled_from("abc"),
    size=st.integers(0, 64 * MIB),
    seconds=st.one_of(st.just(0.0), st.floats(0, 300)),
)


def totals(candidates: dict[int, HeldBytes]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for held in candidates.values():
        counted[held.owner] += held.size
    return counted


@given(st.lists(helds, max_size=12), st.dictionaries(st.sampled_from("abc"), st.integers(0, MIB)))
def test_room_is_given_up_by_the_owner_of_most(
    given_: list[HeldBytes], more: dict[str, int]
) -> None:
    candidates = dict(enumerate(given_))
    held = totals(candidates) + Counter(more)

    chosen = first_to_go(candidates, held)

    if chosen is None:
        assert not candidates
        return
    assert held[candidates[chosen].owner] == max(held[one.owner] for one in given_)


@given(
    st.lists(st.integers(1, 64 * MIB), min_size=1, max_size=12),
    st.lists(st.floats(0, 300), min_size=12, max_size=12),
    st.integers(1, 2 * MIB),
    st.floats(0, 300),
)
def test_no_uploads_of_another_owner_keep_a_smaller_one_out(
    sizes: list[int], ages: list[float], own: int, age: float
) -> None:
    candidates = {
        number: HeldBytes(owner="greedy", size=size, seconds=seconds)
        for number, (size, seconds) in enumerate(zip(sizes, ages, strict=False))
    }
    candidates[-1] = HeldBytes(owner="modest", size=own, seconds=age)
    if sum(sizes) > own:
        assert first_to_go(candidates, totals(candidates)) != -1


@given(st.floats(20, 300), st.integers(1, 2 * MIB), st.floats(0, 0.2))
def test_an_idle_upload_goes_before_a_new_one_of_the_same_owner(
    idle: float, size: int, age: float
) -> None:
    candidates = {n: HeldBytes(owner="a", size=64 * MIB - 1000, seconds=idle) for n in range(8)}
    candidates[8] = HeldBytes(owner="a", size=size, seconds=age)

    assert first_to_go(candidates, totals(candidates)) != 8


@given(st.integers(1, 64 * MIB), st.floats(1.1, 300), st.floats(0, 16))
def test_an_upload_that_was_fast_and_stands_still_goes_before_one_under_way(
    size: int, idle: float, age: float
) -> None:
    stands = HeldBytes(owner="a", size=64 * MIB - 1000, seconds=idle + 0.1, idle=idle)
    moves = HeldBytes(owner="a", size=max(size, int(age * GOOD_RATE)), seconds=age, idle=0.5)

    assert first_to_go({1: stands, 2: moves}, {"a": 128 * MIB}) == 1


@given(st.lists(st.integers(65 * 1024, 64 * MIB), min_size=2, max_size=8, unique=True))
def test_of_good_uploads_the_one_goes_of_which_least_is_lost(sizes: list[int]) -> None:
    candidates = {
        n: HeldBytes(owner="a", size=size, seconds=size / GOOD_RATE / 2)
        for n, size in enumerate(sizes)
    }

    chosen = first_to_go(candidates, totals(candidates))

    assert chosen is not None
    assert sizes[chosen] == min(sizes)


def test_a_request_of_a_few_bytes_makes_no_room() -> None:
    candidates = {1: HeldBytes(owner="a", size=100, seconds=300), 2: HeldBytes(owner="a", size=MIB)}

    assert first_to_go(candidates, {"a": MIB + 100}) == 2
