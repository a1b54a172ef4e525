"""Rows of tasks: one shown row for each task, whatever the order and the duplicates."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.limits import MAX_TASKS
from gridwell.engine.rows import Row, decode_segment, encode_segment, outcome, shown_rows
from gridwell.engine.task_set import TaskSet

successes = st.builds(Row, task=st.integers(0, 9), seconds=st.floats(0, 1e9))
failures = st.builds(
    Row,
    task=st.integers(0, 9),
    exit=st.integers(1, 255) | st.integers(-64, -1),
    seconds=st.floats(0, 1e9),
    reason=st.sampled_from(["exit", "timeout", "oom"]),
)
rows = st.one_of(successes, failures)


@given(rows)
def test_a_row_is_read_as_it_was_written(row: Row) -> None:
    assert Row.decode(row.encode()) == row


@given(st.lists(rows, max_size=20), st.data())
def test_the_shown_row_is_the_same_in_every_order(
    given_rows: list[Row], data: st.DataObject
) -> None:
    again = data.draw(st.permutations(given_rows + given_rows[:3]))

    assert shown_rows(again) == shown_rows(given_rows)
    assert encode_segment(again) == encode_segment(given_rows)


@given(st.lists(rows, max_size=20))
def test_each_task_is_done_or_failed_and_done_wins(given_rows: list[Row]) -> None:
    done, failed = outcome(given_rows)

    assert not done & failed
    assert done | failed == TaskSet.of(row.task for row in given_rows)
    assert done == TaskSet.of(row.task for row in given_rows if row.exit == 0)


@given(st.lists(rows, max_size=20))
def test_a_segment_keeps_each_row_once_rising_by_task(given_rows: list[Row]) -> None:
    kept = decode_segment(encode_segment(given_rows))

    assert set(kept) == set(given_rows)
    assert len(kept) == len(set(given_rows))
    assert [row.task for row in kept] == sorted(row.task for row in kept)


def test_a_row_without_a_reason_takes_few_bytes() -> None:
    assert Row(task=200, seconds=0.01).line() == "[200,0,0.01]"
    assert Row(task=7, exit=3, seconds=1, reason="exit").line() == '[7,3,1.0,"exit"]'


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "[0,0,0]",
        [],
        [0, 0],
        [0, 0, 0, "exit"],
        [0, 1, 0],
        [0, 1, 0, ""],
        [0, 0, 0, ""],
        [0, 1, 0, "exit", 0],
        [0, 1, 0, "Exit"],
        [0, 1, 0, 5],
        [-1, 0, 0],
        [MAX_TASKS, 0, 0],
        [True, 0, 0],
        [0.0, 0, 0],
        ["0", 0, 0],
        [0, True, 0, "exit"],
        [0, 256, 0, "exit"],
        [0, -65, 0, "exit"],
        [0, 0, -1],
        [0, 0, float("nan")],
        [0, 0, float("inf")],
        [0, 0, 10**400],
        [0, 0, True],
        [0, 0, "1"],
        [10**5000, 0, 0],
    ],
)
def test_a_value_that_is_no_row_is_refused(value: Any) -> None:
    with pytest.raises(InvalidMessage):
        Row.decode(value)


@pytest.mark.parametrize(
    "data", [b"[0,0,0.0]", b"x\n", b"[0,0,0.0]\n\n", b"\xff\n", b"[" * 99_999 + b"\n"]
)
def test_a_damaged_segment_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="segment of rows"):
        decode_segment(data)
