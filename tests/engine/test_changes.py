"""Since when a value has been what it is, by the reader's own clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.changes import Changes


def test_a_value_counts_from_the_first_time_that_it_was_seen() -> None:
    changes: Changes[str, int] = Changes()

    seen = [changes.since("a", value, now) for value, now in ((1, 10), (1, 20), (2, 30), (2, 40))]

    assert seen == [10, 10, 30, 30]


def test_a_key_that_was_forgotten_counts_as_new() -> None:
    changes: Changes[int, str] = Changes(most=2)
    for key in range(3):
        changes.since(key, "x", 1.0)

    assert changes.since(2, "x", 9.0) == 1.0
    assert changes.since(0, "x", 9.0) == 9.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=40))
def test_the_answer_is_the_start_of_the_last_row_of_equal_values(
    looks: list[tuple[int, int]],
) -> None:
    changes: Changes[int, int] = Changes()
    rows: dict[int, tuple[int, float]] = {}
    for now, (key, value) in enumerate(looks):
        if key not in rows or rows[key][0] != value:
            rows[key] = value, float(now)
        assert changes.since(key, value, float(now)) == rows[key][1]
