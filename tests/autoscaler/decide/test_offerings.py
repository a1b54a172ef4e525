"""Which machines are asked for, and how long a refusal is remembered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.decide import decide
from autoscaler.decide.model import Policy
from autoscaler.decide.offerings import REMEMBERED_SECONDS, Choice, choose, refusals, refused
from gridwell.fleet.model import Offering, Slot
from tests.autoscaler.decide.snapshots import NOW, instance, slot_of, snapshot

A, B, C = (
    Offering(type="a"),
    Offering(type="b", subnet="subnet-1"),
    Offering(type="b", subnet="subnet-2"),
)
OFFERS = (A, B, C)


def choice_at(now: float, *slots: Slot) -> Choice:
    return choose(OFFERS, slots, now=now, again_seconds=60.0)


def slot_refused(offer: Offering, *, age: float, number: int = 0) -> Slot:
    return refused(Slot(number=number), offer, now=NOW - age)


def test_without_refusals_the_operators_order_stands() -> None:
    assert choice_at(NOW).offers == OFFERS


def test_a_refused_offer_is_left_out_for_ten_minutes() -> None:
    slots = (slot_refused(A, age=599), slot_refused(C, age=601, number=1))

    assert choice_at(NOW, *slots).offers == (B, C)


def test_what_every_slot_was_refused_is_asked_again_by_one_launch_after_a_minute() -> None:
    slots = tuple(
        slot_refused(offer, age=age, number=number)
        for number, (offer, age) in enumerate([(A, 10.0), (B, 61.0), (C, 30.0)])
    )
    later = choice_at(NOW, *slots)
    sooner = choice_at(NOW - 11.0, *slots)

    assert (later.offers, later.probe) == ((B,), True)
    assert (sooner.offers, sooner.wait) == ((), 10.0)


@given(st.lists(st.tuples(st.sampled_from(OFFERS), st.floats(0, 1000)), max_size=12))
def test_some_offer_is_always_asked_for_within_a_minute(
    history: list[tuple[Offering, float]],
) -> None:
    slot = Slot(number=0)
    for offer, age in sorted(history, key=lambda item: -item[1]):
        slot = refused(slot, offer, now=NOW - age)

    choice = choice_at(NOW, slot)

    assert set(choice.offers) <= set(OFFERS)
    assert bool(choice.offers) == (choice.wait == 0.0)
    assert 0.0 <= choice.wait <= 60.0
    known = refusals((slot,), now=NOW)
    assert choice.probe or known.keys().isdisjoint(choice.offers)
    assert all(NOW - at < REMEMBERED_SECONDS for at in known.values())


def test_a_plan_says_that_there_is_no_capacity_and_when_it_asks_again() -> None:
    policy = Policy(max_instances=4)
    seen = snapshot(visible=4, slots=(slot_refused(Offering(), age=25),))

    plan = decide(seen, policy)

    assert plan.is_empty
    assert (
        plan.held == "EC2 has no capacity for the launch template, it is asked again in about 40 s"
    )
    assert plan.reason.endswith(f"1 short: {plan.held}")


def test_a_stopped_instance_whose_zone_had_no_capacity_of_late_comes_last() -> None:
    first = instance(0, "stopped", type="b", subnet="subnet-1")
    second = instance(1, "stopped", type="b", subnet="subnet-2")
    slots = (slot_of(first, refusals=((B, NOW - 100),)), slot_of(second))

    plan = decide(snapshot(first, second, visible=1, slots=slots), Policy())

    assert [start.instance for start in plan.start] == ["i-1"]
    assert [start.instance for start in plan.spare] == ["i-0"]
    assert plan.reserve == (2,)


def test_an_offer_survives_its_name_and_speaks_for_people() -> None:
    for offer in (*OFFERS, Offering()):
        assert Offering.named(offer.name) == offer
    assert [str(offer) for offer in (A, B, Offering())] == [
        "a",
        "b in subnet-1",
        "the launch template",
    ]
