"""Sets of tasks as runs of text: one state, whatever the packing, the order and the duplicates."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.limits import MAX_TASKS
from gridwell.engine.task_set import NO_TASKS, TaskSet

_NUMBERS = st.sets(st.integers(0, 120), max_size=60)


@st.composite
def _packed(draw: st.DrawFn) -> tuple[set[int], list[str]]:
    """Draw tasks, and texts of runs that name all of them: cut anywhere, doubled, in any order."""
    numbers = draw(_NUMBERS)
    texts: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        rest = sorted(numbers)
        while rest:
            most = 1
            while most < len(rest) and rest[most] == rest[0] + most:
                most += 1
            size = draw(st.integers(1, most))
            texts.append(str(rest[0]) if size == 1 else f"{rest[0]}-{rest[size - 1]}")
            rest = rest[size:]
    texts += draw(st.lists(st.sampled_from(texts), max_size=5)) if texts else []
    return numbers, draw(st.permutations(texts))


@given(_packed())
def test_any_packing_order_and_duplicates_give_one_set(packed: tuple[set[int], list[str]]) -> None:
    numbers, texts = packed

    assert TaskSet.read(texts) == TaskSet.of(numbers)


@given(_packed(), st.integers(1, 5))
def test_union_over_any_flushes_gives_one_set(
    packed: tuple[set[int], list[str]], flush: int
) -> None:
    numbers, texts = packed
    flushes = [TaskSet.read(texts[start : start + flush]) for start in range(0, len(texts), flush)]
    state = NO_TASKS
    for each in flushes:
        state = state | each | each

    assert state == TaskSet.union(flushes) == TaskSet.of(numbers)


@given(_NUMBERS, _NUMBERS)
def test_the_operators_are_those_of_sets(one: set[int], other: set[int]) -> None:
    left, right = TaskSet.of(one), TaskSet.of(other)

    assert set(left | right) == one | other
    assert set(left - right) == one - other
    assert set(left & right) == one & other
    assert (left <= right) == (one <= other)
    assert len(left) == len(one)
    assert bool(left) == bool(one)
    assert all((number in left) == (number in one) for number in range(122))


@given(_NUMBERS, _NUMBERS)
def test_the_same_tasks_have_one_form(one: set[int], other: set[int]) -> None:
    assert TaskSet.of(one) | TaskSet.of(other) == TaskSet.of(one | other)
    assert TaskSet.of(one) - TaskSet.of(other) == TaskSet.of(one - other)


@given(_NUMBERS)
def test_texts_bring_the_set_back_in_fewest_runs(numbers: set[int]) -> None:
    tasks = TaskSet.of(numbers)

    assert TaskSet.read(tasks.texts()) == tasks
    assert len(tasks.texts()) == sum(number - 1 not in numbers for number in numbers)


@given(_NUMBERS, st.integers(1, 9))
def test_pieces_are_short_runs_that_cover_the_set_once(numbers: set[int], most: int) -> None:
    pieces = list(TaskSet.of(numbers).pieces(most))

    assert [number for piece in pieces for number in piece] == sorted(numbers)
    assert all(len(piece.runs) == 1 and len(piece) <= most for piece in pieces)


@pytest.mark.parametrize(
    "text",
    ["", "-", "1-", "-1", "1--2", "01", "1-02", "5-5", "7-3", " 1", "1 ", "1,2", "+1", "1.0", "1_0",
     "\u0661", "1\n", "10000000", "0-10000000", str(MAX_TASKS), f"0-{MAX_TASKS}"],
)  # fmt: skip
def test_a_text_that_is_no_run_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        TaskSet.parse(text)

    assert repr(text)[1:-1] in str(refused.value) or repr(text) in str(refused.value)


@pytest.mark.parametrize("value", [None, 7, ["1"], b"1", 1.0, True])
def test_a_value_that_is_no_text_is_no_run(value: object) -> None:
    with pytest.raises(InvalidMessage, match="not a run"):
        TaskSet.read([value])  # type: ignore[list-item]


def test_a_million_tasks_in_order_are_one_run() -> None:
    tasks = TaskSet.of(range(MAX_TASKS))

    assert tasks.texts() == (f"0-{MAX_TASKS - 1}",)
    assert len(tasks) == MAX_TASKS
    assert not TaskSet.span(0, MAX_TASKS) - tasks


def test_a_block_of_singles_fills_at_most_2964_bytes() -> None:
    # Never joined: each task was written by a flush of its own.
    singles = {str(offset) for offset in range(1000)}

    assert sum(map(len, singles)) + 70 + len("done") == 2_964


@pytest.mark.parametrize(("pack", "most"), [(1000, 100), (100, 160), (10, 800)])
def test_a_block_of_packed_tasks_fills_at_most_800_bytes(pack: int, most: int) -> None:
    pieces = list(TaskSet.span(0, 1000).pieces(pack))
    random.Random(1).shuffle(pieces)
    texts = {text for piece in pieces for text in piece.texts()}

    assert sum(map(len, texts)) + 70 + len("done") <= most
