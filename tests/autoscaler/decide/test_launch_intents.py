from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.launch_intents import (
    Intent,
    intent_of,
    jitter,
    launch_token,
    remember,
    retry_pause,
)
from gridwell.fleet.model import Slot
from tests.autoscaler.decide.snapshots import LONG_AGO, NOW, instance, slot_of, token


def test_a_token_names_fleet_slot_and_epoch_and_fits_ec2s_64_characters() -> None:
    tokens = {
        launch_token(fleet, slot, epoch)
        for fleet in ("a", "b")
        for slot in range(3)
        for epoch in range(3)
    }

    assert len(tokens) == 18
    assert all(len(name) <= 64 and name.isascii() for name in tokens)
    assert launch_token("a", 1, 1) == launch_token("a", 1, 1)


def test_pauses_grow_to_a_minute() -> None:
    pauses = [retry_pause(failures, 0.0) for failures in (1, 2, 3, 4, 5, 99)]

    assert pauses == [5, 10, 20, 40, 60, 60]


@given(st.lists(st.integers(0, 10**9), max_size=3))
def test_jitter_takes_up_to_half_of_a_pause_and_is_always_the_same(facts: list[int]) -> None:
    part = jitter(*facts)

    assert part == jitter(*facts)
    assert 2.5 < retry_pause(1, part) <= 5


def test_slots_that_failed_together_are_not_tried_again_together() -> None:
    assert len({jitter(slot, 1, 1) for slot in range(19)}) == 19


@pytest.mark.parametrize(
    ("slot", "expected"),
    [
        (Slot(number=0), Intent.NONE),
        (Slot(number=0, token=token(0), started_at=NOW - 9), Intent.UNANSWERED),
        (Slot(number=0, token=token(0), started_at=NOW - 9, instance="i-9"), Intent.ANSWERED),
        (Slot(number=0, token=token(0), started_at=NOW - 301, instance="i-9"), Intent.NONE),
    ],
)
def test_an_intent_lasts_until_its_instance_is_shown_or_five_minutes(
    slot: Slot, expected: Intent
) -> None:
    earlier = instance(0, "terminated", token=token(0, 7))

    assert intent_of(slot, [earlier], now=NOW, intent_seconds=300) is expected


@pytest.mark.parametrize("state", ["pending", "terminated"])
def test_an_instance_that_was_shown_ends_its_intent(state: str) -> None:
    slot = Slot(number=0, token=token(0), started_at=NOW - 9)

    assert intent_of(slot, [instance(0, state)], now=NOW, intent_seconds=300) is Intent.NONE


def test_the_instance_of_a_lost_reply_is_known_by_its_token() -> None:
    (slot,) = remember(
        [Slot(number=0, epoch=1, token=token(0), started_at=NOW - 9)],
        [instance(0, "pending")],
        now=NOW,
    )

    assert slot.instance == "i-0"


def test_the_moment_of_a_stop_is_when_it_was_first_seen() -> None:
    running, stopped = instance(0), instance(0, "stopped")
    first = remember([slot_of(running)], [stopped], now=NOW)
    later = remember(first, [stopped], now=NOW + 50)
    again = remember(later, [running], now=NOW + 60)

    assert [slots[0].stopped_since for slots in (first, later, again)] == [NOW, NOW, None]


def test_a_place_that_is_taken_and_not_in_the_ledger_gets_a_slot() -> None:
    untagged = replace(instance(3), slot=None)

    slots = remember([], [instance(2), instance(1, "terminated"), untagged], now=NOW)

    assert slots == (Slot(number=2, instance="i-2"),)


def test_what_is_known_already_changes_nothing() -> None:
    seen = [instance(0), instance(1, "stopped"), instance(2, "terminated", launched=LONG_AGO)]
    slots = tuple(slot_of(one) for one in seen)

    assert remember(slots, seen, now=NOW) == slots
