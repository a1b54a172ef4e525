"""Failed tries of a chunk add up to the same whatever is told twice."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.domain.failure import (
    HOPELESS_TRIES,
    PROCESS_DIED,
    RAISED,
    UNSUPPORTED,
    ChunkFailure,
    failure_of,
)
from tests.builders import NOW, a_job, an_error

if TYPE_CHECKING:
    from collections.abc import Iterable

JOB = a_job()


def a_try(number: int, code: str = RAISED, text: str = "odd") -> ChunkFailure:
    return failure_of(an_error(JOB, 2, code=code, text=text, receives=number), NOW + number)


def kept(tries: Iterable[ChunkFailure]) -> ChunkFailure:
    stored: ChunkFailure | None = None
    for each in tries:
        stored = each.after(stored)
    assert stored is not None
    return stored


tries = st.builds(
    a_try,
    st.integers(1, 10),
    st.sampled_from([RAISED, PROCESS_DIED]),
    st.sampled_from(["odd", "even"]),
)


def test_a_failure_says_what_its_worker_said() -> None:
    message = an_error(JOB, 2, code=RAISED, text="odd", receives=4)

    assert failure_of(message, NOW) == ChunkFailure(
        job=JOB.id,
        attempt=JOB.attempt,
        chunk=2,
        worker="worker-1",
        code=RAISED,
        text="odd",
        at=NOW,
        tries=frozenset({4}),
        alike=frozenset({4}),
    )


@given(st.lists(tries, min_size=1))
def test_telling_a_try_twice_changes_nothing(told: list[ChunkFailure]) -> None:
    once = kept(told)

    assert told[-1].after(once) == once
    assert once.tries == reduce(frozenset.union, (each.tries for each in told))
    assert once.alike <= once.tries
    assert (once.code, once.text) == (told[-1].code, told[-1].text)


def test_three_equal_errors_of_the_computation_in_a_row_are_hopeless() -> None:
    assert not kept([a_try(1), a_try(2)]).hopeless
    assert not kept([a_try(1), a_try(2), a_try(2)]).hopeless
    assert kept([a_try(1), a_try(2), a_try(3)]).hopeless
    assert HOPELESS_TRIES == 3


@pytest.mark.parametrize("code", [PROCESS_DIED, UNSUPPORTED, "of_a_later_release"])
def test_what_may_lie_in_the_machine_is_never_hopeless(code: str) -> None:
    assert not kept(a_try(number, code) for number in range(1, 11)).hopeless


def test_another_error_between_begins_the_row_anew() -> None:
    between = [a_try(1), a_try(2), a_try(3, text="else"), a_try(4), a_try(5)]

    assert not kept(between).hopeless
    assert kept([*between, a_try(6)]).hopeless
    assert kept(between).tries == frozenset(range(1, 6))


def test_the_last_worker_is_the_one_that_is_named() -> None:
    assert kept([a_try(1), replace(a_try(2), worker="w-2")]).worker == "w-2"
