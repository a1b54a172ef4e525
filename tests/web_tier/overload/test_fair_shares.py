"""Shares are max-min fair: who holds little is never short because another holds much."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from web_tier.overload.fair_shares import FairQueue, FairShares, yielding_owner

owners = st.sampled_from("abcd")
holdings = st.dictionaries(owners, st.integers(1, 20))


@given(holdings, owners)
def test_room_is_made_by_who_holds_most_and_never_in_turn(
    held: dict[str, int], newcomer: str
) -> None:
    loser = yielding_owner(held, newcomer)

    if loser is None:
        assert all(amount <= held.get(newcomer, 0) + 1 for amount in held.values())
        return
    assert held[loser] == max(held.values())
    after = Counter(held)
    after[loser] -= 1
    after[newcomer] += 1
    assert after[loser] >= after[newcomer]
    assert yielding_owner(after, loser) != newcomer


@given(st.lists(owners, max_size=60), st.integers(1, 12))
def test_places_of_a_full_room_go_to_whoever_has_fewest(asked: list[str], capacity: int) -> None:
    shares = FairShares()
    for owner in asked:
        if shares.total == capacity:
            loser = yielding_owner(shares.held, owner)
            if loser is None:
                assert all(amount <= shares.of(owner) + 1 for amount in shares.held.values())
                continue
            shares.give_back(loser)
        shares.take(owner)

    assert shares.total == min(capacity, len(asked)) == sum(shares.held.values())
    wanted = Counter(asked)
    fair = capacity // len(wanted) if wanted else 0
    assert all(shares.of(owner) >= min(count, fair) for owner, count in wanted.items())


def test_one_owner_alone_may_have_everything() -> None:
    queue: FairQueue[int] = FairQueue(8)

    assert [queue.put("a", number) for number in range(8)] == [None] * 8
    assert queue.put("a", 8) == 8


@given(st.lists(st.tuples(owners, st.integers(0, 99)), max_size=60), st.integers(1, 12))
def test_who_waits_is_served_before_another_is_served_twice(
    asked: list[tuple[str, int]], most: int
) -> None:
    queue: FairQueue[tuple[str, int, int]] = FairQueue(most)
    for number, (owner, value) in enumerate(asked):
        item = (owner, value, number)
        lengths = Counter(waiting for waiting, _ in queue)
        displaced = queue.put(owner, item)
        if displaced is item:
            assert all(length <= lengths[owner] + 1 for length in lengths.values())
        elif displaced is not None:
            assert lengths[displaced[0]] == max(lengths.values())
        assert len(queue) <= most

    served: list[tuple[str, int, int]] = []
    waiting = Counter(owner for owner, _ in queue)
    while (taken := queue.take(lambda owner: owner)) is not None:
        served.append(taken[0])
    assert len(queue) == 0
    assert Counter(owner for owner, _, _ in served) == waiting
    for owner, count in waiting.items():  # in each round all who wait are served
        own = [place for place, item in enumerate(served) if item[0] == owner]
        assert len(own) == count
        assert own[0] < len(waiting)
        numbers = [served[place][2] for place in own]
        assert numbers == sorted(numbers)


@given(st.lists(owners, max_size=30), owners)
def test_an_owner_that_is_not_admitted_is_passed_over(asked: list[str], shut: str) -> None:
    queue: FairQueue[int] = FairQueue(100)
    for number, owner in enumerate(asked):
        queue.put(owner, number)

    while queue.take(lambda owner: None if owner == shut else owner) is not None:
        pass

    assert [number for _, number in queue] == [n for n, owner in enumerate(asked) if owner == shut]


@given(st.lists(st.tuples(owners, st.integers(0, 9)), max_size=30), st.integers(0, 9))
def test_what_is_over_leaves_and_the_rest_keeps_its_turn(
    asked: list[tuple[str, int]], now: int
) -> None:
    queue: FairQueue[tuple[str, int, int]] = FairQueue(100)
    by_time = sorted(asked, key=lambda one: one[1])
    for number, (owner, until) in enumerate(by_time):
        queue.put(owner, (owner, until, number))

    removed = queue.remove_while(lambda item: item[1] <= now)

    assert sorted(number for _, _, number in removed) == [
        number for number, (_, until) in enumerate(by_time) if until <= now
    ]
    assert len(queue) == len(asked) - len(removed)
    for _, item in list(queue):
        assert queue.remove(item)
        assert not queue.remove(item)
    assert len(queue) == 0
