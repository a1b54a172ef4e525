"""Boots that come to a heartbeat, boots that do not, and what follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.boot_health import boot_pause, judge
from autoscaler.decide.decide import decide
from autoscaler.decide.model import Policy, Snapshot
from gridwell.fleet.model import Heartbeat, Instance, Slot
from tests.autoscaler.decide.snapshots import (
    NOW,
    POLICY,
    RELEASE,
    beat,
    instance,
    slot_of,
    snapshot,
    token,
)


def booted(seen: Instance, *, age: float = 200.0, **changes: Any) -> Slot:
    """The slot of an instance that was started some time ago, unproven."""
    fields = {"started_at": NOW - age, "unproven": True, "release": RELEASE, **changes}
    return slot_of(seen, **fields)


def judged(seen: Instance, slot: Slot, *beats: Heartbeat) -> Slot:
    heartbeats = {one.worker: one for one in beats}
    (after,) = judge([slot], [seen], heartbeats, now=NOW, policy=POLICY)
    return after


def test_a_heartbeat_proves_a_boot_and_makes_failures_forgotten() -> None:
    running = instance(0)
    slot = booted(running, failures=2, not_before=NOW + 9, failed_boots=2, failed_at=NOW - 300)

    after = judged(running, slot, beat(running))

    assert (after.unproven, after.failures, after.not_before) == (False, 0, 0.0)
    assert (after.failed_boots, after.failed_at, after.proven_at) == (0, None, NOW)


def test_a_heartbeat_of_an_earlier_life_proves_nothing() -> None:
    running = instance(0)
    slot = booted(running, age=20)

    assert judged(running, slot, beat(running, age=30)) == slot


def test_an_instance_that_stopped_without_a_heartbeat_failed_to_boot() -> None:
    stopped = instance(0, "stopped")

    after = judged(stopped, booted(stopped, failed_boots=1))

    assert (after.unproven, after.failed_boots, after.failed_at) == (False, 2, NOW)


def test_a_worker_that_spoke_and_went_home_between_two_looks_is_proved() -> None:
    stopped = instance(0, "stopped")

    assert judged(stopped, booted(stopped), beat(stopped, age=100)).failed_boots == 0


def test_what_ec2_may_not_show_yet_is_no_failure() -> None:
    stopped = instance(0, "stopped")
    slot = booted(stopped, age=59)

    assert judged(stopped, slot) == slot


def test_a_start_that_ec2_shows_to_have_fallen_back_is_known_at_once() -> None:
    stopped = instance(0, "stopped", launched=float(int(NOW) - 5), reason="Server.Insufficient…")

    assert judged(stopped, booted(stopped, age=4.5)).failures == 1


def test_an_instance_that_ended_at_its_launch_failed_at_once() -> None:
    ended = instance(0, "terminated")

    assert judged(ended, booted(ended, age=5)).failed_boots == 1


def test_an_instance_that_ec2_never_showed_is_not_judged() -> None:
    slot = booted(instance(0), age=301)

    (after,) = judge([slot], [], {}, now=NOW, policy=POLICY)

    assert (after.unproven, after.failed_boots) == (False, 0)


def test_a_start_that_fell_back_for_want_of_room_is_a_refusal_and_no_failed_boot() -> None:
    stopped = instance(
        0, "stopped", type="a", subnet="s", reason="Server.InsufficientInstanceCapacity"
    )

    after = judged(stopped, booted(stopped))

    assert (after.failed_boots, after.failures, after.unproven) == (0, 1, False)
    assert NOW < after.not_before <= NOW + 5
    assert after.refusals == ((stopped.offer, NOW),)


def test_a_start_that_is_not_shown_yet_is_on_its_way_and_not_repeated() -> None:
    stopped = instance(0, "stopped")
    seen = snapshot(stopped, visible=1, slots=(booted(stopped, age=30),))

    plan = decide(seen, POLICY)

    assert plan.is_empty
    assert "1 booting" in plan.reason


@pytest.mark.parametrize(("row", "age", "starts"), [(1, 14, 0), (1, 20, 1), (2, 29, 0), (2, 40, 1)])
def test_a_machine_that_failed_to_boot_pauses_longer_each_time(
    row: int, age: float, starts: int
) -> None:
    stopped = instance(0, "stopped")
    slot = slot_of(stopped, release=RELEASE, failed_boots=row, failed_at=NOW - age)
    policy = Policy(max_instances=1)

    assert len(decide(snapshot(stopped, visible=1, slots=(slot,)), policy).start) == starts


def broken(number: int, **changes: Any) -> tuple[Instance, Slot]:
    stopped = instance(number, "stopped")
    fields = {"release": RELEASE, "failed_boots": 3, "failed_at": NOW - 1000, **changes}
    return stopped, slot_of(stopped, **fields)


def test_after_three_boots_without_a_heartbeat_a_machine_is_given_up_for_a_new_one() -> None:
    stopped, slot = broken(0)
    healthy = instance(1)

    plan = decide(snapshot(stopped, healthy, visible=8, slots=(slot, slot_of(healthy))), POLICY)

    assert plan.terminate == ("i-0",)
    assert plan.start == ()
    assert plan.launch == (2,)
    assert "terminate 1 that do not boot" in plan.reason


def test_a_machine_that_was_given_up_is_terminated_and_never_started() -> None:
    stopped = instance(0, "stopped")
    slot = slot_of(stopped, condemned="i-0")

    plan = decide(snapshot(stopped, visible=1, slots=(slot,)), POLICY)

    assert (plan.start, plan.spare, plan.terminate) == ((), (), ("i-0",))


def a_bad_release(**changes: Any) -> Snapshot:
    """Three launches of this release failed, and their machines have gone."""
    slots = tuple(
        Slot(number=n, epoch=1, token=token(n), release=RELEASE, failed_boots=1, failed_at=NOW - 70)
        for n in range(3)
    )
    return snapshot(visible=100, **{"slots": slots, **changes})


def test_of_a_release_whose_boots_fail_one_is_tried_at_a_time() -> None:
    assert decide(a_bad_release(), Policy()).launch == (3,)


def test_while_one_boot_of_a_bad_release_is_tried_there_is_no_other() -> None:
    seen = a_bad_release()
    running = instance(3, launched=NOW - 20)
    trial = replace(
        seen, instances=(running,), slots=(*seen.slots, booted(running, age=20)), heartbeats={}
    )

    plan = decide(trial, Policy())

    assert plan.is_empty
    assert "3 boots of this release in a row came to no heartbeat, one is tried" in plan.held


def test_a_bad_release_is_not_tried_again_before_a_pause_that_is_told() -> None:
    seen = a_bad_release()
    recent = replace(seen, slots=tuple(replace(s, failed_at=NOW - 20) for s in seen.slots))

    plan = decide(recent, Policy())

    assert plan.is_empty
    assert plan.held == (
        "3 boots of this release in a row came to no heartbeat, the next is tried in about 40 s; "
        "a new release ends this"
    )


def test_a_new_release_is_trusted() -> None:
    assert len(decide(a_bad_release(release="release-2"), Policy()).launch) == 19


def test_one_instance_at_work_makes_its_release_trusted() -> None:
    seen, at_work = a_bad_release(), instance(3)
    trusted = replace(
        seen,
        instances=(at_work,),
        slots=(*seen.slots, slot_of(at_work)),
        heartbeats={at_work.arn: beat(at_work)},
    )

    assert len(decide(trusted, Policy()).launch) == 18


def test_a_boot_that_spoke_since_makes_its_release_trusted() -> None:
    seen = a_bad_release()
    good = Slot(number=3, epoch=1, token=token(3), release=RELEASE, proven_at=NOW - 60)

    assert len(decide(replace(seen, slots=(*seen.slots, good)), Policy()).launch) == 19


@given(st.integers(1, 10_000))
def test_pauses_between_boots_grow_to_a_quarter_of_an_hour(row: int) -> None:
    assert 15 <= boot_pause(row) <= boot_pause(row + 1) <= 900
