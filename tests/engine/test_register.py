"""Of two registers the one with the lesser key stays, whatever the order in which they come."""

from __future__ import annotations

from functools import reduce
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.register import Best, lesser
from gridwell.kinds.grid.job_view import register_of
from gridwell.kinds.grid.minimum import Minimum
from tests.kinds.grid.strategies import minima

keys = st.text("abc", min_size=1, max_size=3)
registers = st.none() | st.builds(Best, keys, st.just(()), st.sampled_from(["w-1", "w-2"]))


def key_of(register: Best | None) -> str | None:
    return None if register is None else register.key


@given(st.lists(registers, max_size=4))
def test_any_order_of_merging_leaves_the_least_key(reported: list[Best | None]) -> None:
    found = [each.key for each in reported if each is not None]

    for order in permutations(reported):
        assert key_of(reduce(lesser, order, None)) == min(found, default=None)


@given(registers)
def test_merging_a_register_again_changes_nothing(register: Best | None) -> None:
    assert lesser(register, register) == register
    assert lesser(register, None) == lesser(None, register) == register


def test_of_equal_keys_the_one_that_was_first_stays() -> None:
    first, later = Best("a", ("a", "b"), "w-1"), Best("a", ("a", "c"), "w-2")

    assert lesser(first, later) == first


@given(minima, minima)
def test_the_lesser_of_two_minima_is_the_lesser_register(one: Minimum, other: Minimum) -> None:
    register = lesser(register_of(one), register_of(other))

    assert register is not None
    assert register.key == min(one, other).key()
    assert Minimum.from_key(register.key).key() == min(one, other).key()
