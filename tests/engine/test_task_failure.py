"""Failed tries of a chunk add up to the same whatever is told twice."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_tier.worker.fitness import ROW
from gridwell.engine.task_failure import (
    HOPELESS_TRIES,
    HOPELESS_TRIES_ALONE,
    PROCESS_DIED,
    RAISED,
    UNSUPPORTED,
    ChunkFailure,
    failure_of,
)
from tests.harness.builders import NOW, a_job, an_error

if TYPE_CHECKING:
    from collections.abc import Iterable

JOB = a_job()


def a_try(
    number: int, code: str = RAISED, text: str = "odd", worker: str = "worker-1"
) -> ChunkFailure:
    message = an_error(JOB, 2, code=code, text=text, receives=number, worker=worker)
    return failure_of(message, NOW + number)


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
    st.sampled_from(["w-1", "w-2", "w-3"]),
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
        workers=frozenset({"worker-1"}),
        alike_workers=frozenset({"worker-1"}),
    )


@given(st.lists(tries, min_size=1))
def test_telling_a_try_twice_changes_nothing(told: list[ChunkFailure]) -> None:
    once = kept(told)

    assert told[-1].after(once) == once
    assert once.tries == reduce(frozenset.union, (each.tries for each in told))
    assert once.alike <= once.tries
    assert once.workers == {each.worker for each in told}
    assert once.worker in once.alike_workers <= once.workers
    assert (once.code, once.text) == (told[-1].code, told[-1].text)


def test_three_equal_errors_in_a_row_on_two_machines_are_hopeless() -> None:
    assert not kept([a_try(1), a_try(2, worker="w-2")]).hopeless
    assert not kept([a_try(1), a_try(2), a_try(2, worker="w-2")]).hopeless
    assert kept([a_try(1), a_try(2), a_try(3, worker="w-2")]).hopeless
    assert HOPELESS_TRIES == 3


def test_equal_errors_on_one_machine_are_hopeless_only_after_its_self_test() -> None:
    assert HOPELESS_TRIES_ALONE == 2 * ROW  # the machine is tested after the first half
    assert not kept(map(a_try, range(1, HOPELESS_TRIES_ALONE))).hopeless
    assert kept(map(a_try, range(1, HOPELESS_TRIES_ALONE + 1))).hopeless


def test_machines_before_another_error_do_not_count_for_the_row() -> None:
    tries = [a_try(1, text="else", worker="w-2"), *map(a_try, (2, 3, 4))]

    assert not kept(tries).hopeless
    assert not kept(tries).on_one_machine


@pytest.mark.parametrize("code", [PROCESS_DIED, UNSUPPORTED, "of_a_later_release"])
def test_what_may_lie_in_the_machine_is_never_hopeless(code: str) -> None:
    assert not kept(a_try(number, code) for number in range(1, 11)).hopeless


def test_another_error_between_begins_the_row_anew() -> None:
    between = [a_try(1), a_try(2), a_try(3, text="else"), a_try(4), a_try(5)]

    assert not kept(between).hopeless
    assert kept([*between, a_try(6, worker="w-2")]).hopeless
    assert kept(between).tries == frozenset(range(1, 6))


def test_the_last_worker_is_the_one_that_is_named() -> None:
    assert kept([a_try(1), replace(a_try(2), worker="w-2")]).worker == "w-2"
