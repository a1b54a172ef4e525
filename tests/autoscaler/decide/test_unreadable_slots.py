"""Slots that cannot be read, and the cap."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.decide.capacity import classify
from autoscaler.decide.decide import decide
from gridwell.fleet.model import Slot
from tests.autoscaler.decide.snapshots import POLICY, instance, slot_of, snapshot

WAITING = 100  #: chunks, enough for any fleet


def test_unreadable_slot_may_hold_a_launch_that_is_not_shown_yet() -> None:
    three = [instance(slot) for slot in range(3)]
    slots = tuple(map(slot_of, three))
    hidden = Slot(number=3, unreadable="row 3")

    assert decide(snapshot(*three, visible=WAITING, slots=slots), POLICY).launch
    assert not decide(snapshot(*three, visible=WAITING, slots=(*slots, hidden)), POLICY).launch


def test_unreadable_slot_of_a_shown_instance_is_counted_once() -> None:
    three = [instance(slot) for slot in range(3)]
    slots = tuple(map(slot_of, three))
    spoilt = (*slots[:2], replace(slots[2], unreadable="row 2"))

    look = snapshot(*three, visible=WAITING, slots=spoilt)
    assert classify(look, POLICY).standing == len(three)


def test_unreadable_slot_in_which_nothing_is_launched_takes_no_place() -> None:
    three = [instance(slot) for slot in range(3)]
    slots = (*map(slot_of, three), Slot(number=55, unreadable="row 55"))

    assert decide(snapshot(*three, visible=WAITING, slots=slots), POLICY).launch
