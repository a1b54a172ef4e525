"""Eviction of the least recently used."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.lru_cache import LruCache


def filled(*weights: int, most: int = 3, weight: int | None = 100) -> LruCache[int, str]:
    cache: LruCache[int, str] = LruCache(most, weight=weight)
    for key, own in enumerate(weights):
        cache.put(key, f"value {key}", own)
    return cache


def test_the_least_recently_used_entry_is_evicted_first() -> None:
    cache = filled(1, 1, 1)
    assert cache.get(0) == "value 0"

    assert cache.put(3, "new") == [1]

    assert list(cache) == [2, 0, 3]


def test_a_value_that_is_peeked_at_does_not_count_as_used() -> None:
    cache = filled(1, 1, 1)
    assert cache.peek(0) == "value 0"

    assert cache.put(3, "new") == [0]


def test_a_missing_value_is_none() -> None:
    cache = filled(1)

    assert cache.get(7) is None
    assert cache.peek(7) is None
    cache.drop(7)
    assert len(cache) == 1


def test_a_heavy_value_evicts_all_others_and_stays() -> None:
    cache = filled(40, 40)

    assert cache.put(2, "heavy", 101) == [0, 1]

    assert list(cache) == [2]
    assert cache.put(3, "light", 1) == [2]


def test_a_value_that_is_put_again_is_weighed_once() -> None:
    cache = filled(40, 40)

    assert cache.put(0, "again", 60) == []

    assert list(cache) == [1, 0]
    assert cache.get(0) == "again"


def test_room_is_made_before_the_value_is_there() -> None:
    cache = filled(40, 40)

    assert cache.make_room(50) == [0]

    assert 1 in cache
    assert cache.put(2, "new", 50) == []


def test_what_is_dropped_weighs_nothing() -> None:
    cache = filled(40, 60)

    cache.drop(1)

    assert cache.put(2, "new", 60) == []


@pytest.mark.parametrize("most", [0, -1])
def test_a_cache_that_keeps_nothing_is_refused(most: int) -> None:
    with pytest.raises(ValueError, match="keeps nothing"):
        LruCache[int, int](most)


@given(
    st.integers(1, 5),
    st.none() | st.integers(0, 20),
    st.lists(
        st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 7), st.integers(0, 12))
    ),
)
def test_a_cache_behaves_as_a_list_in_order_of_use(
    most: int, weight: int | None, steps: list[tuple[str, int, int]]
) -> None:
    cache: LruCache[int, int] = LruCache(most, weight=weight)
    model: list[tuple[int, int]] = []  # keys and weights, the least recently used first

    def fits(entries: list[Any], more: int) -> bool:
        heavy = weight is not None and sum(own for _, own in entries) + more > weight
        return not entries or (len(entries) < most and not heavy)

    for action, key, own in steps:
        before = [entry for entry in model if entry[0] == key]
        others = [entry for entry in model if entry[0] != key]
        if action == "put":
            evicted = []
            while not fits(others, own):
                evicted.append(others.pop(0)[0])
            assert cache.put(key, key, own) == evicted
            model = [*others, (key, own)]
        elif action == "get":
            assert cache.get(key) == (key if before else None)
            model = others + before
        else:
            cache.drop(key)
            model = others
        assert list(cache) == [each for each, _ in model]
        assert len(cache) == len(model) <= most
