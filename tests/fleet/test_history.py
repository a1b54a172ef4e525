"""An hour of the fleet in little room."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from gridwell.fleet.history import History, Sample

counts = st.integers(0, 100_000)


def an_hour(*, busy: bool) -> History:
    draw, history = random.Random(1), History()
    for number in range(400):
        history = history.with_sample(
            Sample(
                at=1_700_000_000 + 10 * number,
                pending=draw.randrange(4) if busy else 0,
                running=draw.randrange(20) if busy else 0,
                stopped=draw.randrange(20) if busy else 4,
                visible=draw.randrange(30_000) if busy else 0,
                in_flight=draw.randrange(40) if busy else 0,
                cap=19,
            )
        )
    return history


@given(st.lists(st.builds(Sample, at=counts, running=counts, visible=counts, cap=counts)))
def test_a_history_survives_being_written_and_read(samples: list[Sample]) -> None:
    history = History()
    for sample in samples:
        history = history.with_sample(sample)

    assert History.decode(history.encode()) == history
    assert history.columns()["at"] == sorted(set(history.columns()["at"]))


def test_there_is_one_sample_in_ten_seconds_however_often_the_fleet_is_seen() -> None:
    history = History()
    for number in range(100):
        history = history.with_sample(Sample(at=1000 + number))

    assert history.columns()["at"] == list(range(1000, 1100, 10))


def test_it_ends_after_an_hour() -> None:
    assert len(an_hour(busy=True).samples) == 361


def test_an_idle_hour_takes_a_few_hundred_bytes_and_the_worst_some_kilobytes() -> None:
    assert len(an_hour(busy=False).encode()) < 300
    assert len(an_hour(busy=True).encode()) < 5_000
