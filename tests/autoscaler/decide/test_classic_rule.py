from __future__ import annotations

import pytest

from autoscaler.decide.classic_rule import arrived_at
from autoscaler.decide.decide import decide
from autoscaler.decide.model import Policy, Rule
from gridwell.engine.ports import Depth
from tests.autoscaler.decide.snapshots import NOW, instance, snapshot

CLASSIC = Policy.classic(max_instances=4)


def depth(visible: int, in_flight: int = 0) -> Depth:
    return Depth(visible=visible, in_flight=in_flight)


def test_classic_is_the_seeds_rule_with_two_minutes_of_quiet() -> None:
    assert (CLASSIC.rule, CLASSIC.quiet_seconds) == (Rule.CLASSIC, 120.0)


def test_it_wants_an_instance_for_every_visible_chunk() -> None:
    stopped = instance(1, "stopped")

    plan = decide(snapshot(instance(0), stopped, visible=3, in_flight=50), CLASSIC)

    assert [chosen.instance for chosen in plan.start] == ["i-1"]
    assert plan.launch == (2,)
    assert plan.reason.startswith("3 chunks waiting, want 3 of cap 4; 1 running + 1 stopped")


def test_it_counts_booting_and_stopping_instances_unlike_its_first_reading() -> None:
    booting = instance(0, "pending", launched=NOW - 5)

    assert decide(snapshot(booting, visible=1), CLASSIC).is_empty
    full = [instance(number, "stopping") for number in range(4)]
    assert decide(snapshot(*full, visible=9), CLASSIC).is_empty


@pytest.mark.parametrize(("quiet", "gone"), [(119, 0), (121, 2)])
def test_it_gives_up_the_stopped_ones_when_nothing_arrived_for_t(quiet: int, gone: int) -> None:
    stopped = [instance(number, "stopped") for number in range(3)]

    plan = decide(snapshot(*stopped, arrived_at=NOW - quiet), CLASSIC)

    assert len(plan.terminate) == gone  # two per tick


def test_it_keeps_them_while_the_active_ones_are_not_enough() -> None:
    full = [instance(number, "stopping") for number in range(3)]

    plan = decide(snapshot(*full, instance(3, "stopped"), visible=9), CLASSIC)

    assert plan.terminate == ()


def test_the_default_keeps_what_the_classic_rule_gives_up() -> None:
    stopped = instance(0, "stopped")

    assert decide(snapshot(stopped), CLASSIC).terminate == ("i-0",)
    assert decide(snapshot(stopped), Policy(max_instances=4)).terminate == ()


def test_visible_chunks_and_growth_are_arrivals() -> None:
    assert arrived_at(None, None, depth(0), now=NOW) == NOW  # the first look
    assert arrived_at(NOW - 9, depth(0), depth(0), now=NOW) == NOW - 9
    assert arrived_at(NOW - 9, depth(1), depth(1), now=NOW) == NOW
    assert arrived_at(NOW - 9, depth(0, 1), depth(0, 2), now=NOW) == NOW
    assert arrived_at(NOW - 9, depth(0, 2), depth(0, 1), now=NOW) == NOW - 9
    assert arrived_at(NOW - 9, depth(0), None, now=NOW) == NOW - 9
