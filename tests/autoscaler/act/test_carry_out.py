from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from autoscaler.act.carry_out import Actor
from autoscaler.decide.decide import decide
from autoscaler.decide.launch_intents import launch_token
from autoscaler.decide.model import FleetPlan, Policy, Snapshot, Start, Stop
from autoscaler.decide.outcome import Action
from autoscaler.leadership import Leadership
from autoscaler.observe import ObservedPorts, observe
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryLedger, MemoryQueue
from gridwell.engine.errors import (
    NoCapacity,
    ServiceBusy,
    ServiceDenied,
    Throttled,
    WrongState,
)
from gridwell.fleet.model import Heartbeat, Instance, InstanceState, Offering, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = Policy(max_instances=4)


class ScriptedEc2(MemoryEc2):
    """EC2 in memory, with errors by slot or instance, and the calls that came."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, boot_seconds=20, stop_seconds=20)
        self.errors: dict[int | str, Exception] = {}
        self.lost: set[int] = set()
        self.calls: list[tuple[str, int | str]] = []
        self.before_launch: Callable[[int, str], None] = lambda _slot, _token: None

    def launch(self, slot: int, token: str, offer: Offering | None = None) -> str:
        self.calls.append(("launch", slot))
        self.before_launch(slot, token)
        self._fail(slot)
        name = super().launch(slot, token, offer)
        if slot in self.lost:
            self.lost.remove(slot)
            raise ServiceBusy("the reply was lost")
        return name

    def start(self, instance: str) -> None:
        self.calls.append(("start", instance))
        self._fail(instance)
        super().start(instance)

    def stop(self, instance: str, *, force: bool = False) -> None:
        self.calls.append(("force" if force else "stop", instance))
        self._fail(instance)
        super().stop(instance, force=force)

    def terminate(self, instance: str) -> None:
        self.calls.append(("terminate", instance))
        self._fail(instance)
        super().terminate(instance)

    def _fail(self, what: int | str) -> None:
        if what in self.errors:
            raise self.errors[what]


class StingyLedger(MemoryLedger):
    """A ledger whose writes of a slot can be made to fail."""

    error: Exception | None = None

    def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
        if self.error is not None:
            raise self.error
        return super().write_slot(slot, seen=seen)


@dataclass
class Stage:
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.ec2 = ScriptedEc2(self.clock)
        self.ledger = StingyLedger()
        self.queue = MemoryQueue(self.clock)
        self.ports = ObservedPorts(
            ec2=self.ec2, chunks=self.queue, ledger=self.ledger, clock=self.clock
        )
        self.actor = self.act_with()

    def act_with(self, ledger: MemoryLedger | None = None, **changes: Any) -> Actor:
        """An actor that holds the lease."""
        ports = replace(self.ports, ledger=ledger or self.ledger)
        leadership = Leadership(ports.ledger, self.clock, owner="us", seconds=1000.0)
        assert leadership.renew()
        return Actor(ports, POLICY, fleet="gridwell", leadership=leadership, **changes)

    def look(self) -> Snapshot:
        return observe(self.ports, None, POLICY).snapshot

    def launch(self, *slots: int) -> None:
        self.actor.carry_out(FleetPlan(reason="", launch=slots), self.look())

    def stopped(self, *slots: int) -> tuple[Start, ...]:
        """Launched and powered off again: one instance a slot."""
        self.launch(*slots)
        for instance in self.ec2.instances():
            self.ec2.power_off(instance.id)
        self.clock.advance(400)
        self.ec2.calls.clear()
        return tuple(
            Start(instance=instance.id, slot=instance.slot)
            for instance in self.ec2.instances()
            if instance.slot is not None
        )

    def slot(self, number: int) -> Slot:
        return next(slot for slot in self.ledger.slots() if slot.number == number)

    def instance(self, name: str) -> Instance:
        return next(instance for instance in self.ec2.instances() if instance.id == name)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_intent_is_in_the_ledger_before_ec2_is_called(stage: Stage) -> None:
    seen = []
    stage.ec2.before_launch = lambda slot, token: seen.append((stage.slot(slot), token))

    stage.launch(2)

    ((slot, token),) = seen
    assert (slot.epoch, slot.token, slot.instance) == (1, token, None)
    assert token == launch_token("gridwell", 2, 1)
    assert stage.slot(2).instance == stage.ec2.instances()[0].id


def test_without_a_written_intent_there_is_no_launch(stage: Stage) -> None:
    stage.ledger.error = ServiceBusy("throttled")

    (outcome,) = stage.actor.carry_out(FleetPlan(reason="", launch=(0,)), stage.look())

    assert outcome.problem == "ServiceBusy: throttled"
    assert stage.ec2.calls == []


def test_a_slot_in_which_somebody_else_launched_is_left_alone(stage: Stage) -> None:
    seen = stage.look()
    stage.ledger.write_slot(Slot(number=0, epoch=1), seen=Slot(number=0))

    (outcome,) = stage.actor.carry_out(FleetPlan(reason="", launch=(0,)), seen)

    assert not outcome.done
    assert stage.ec2.calls == []


def test_a_lost_reply_is_asked_again_with_the_same_token(stage: Stage) -> None:
    stage.ec2.lost = {0}
    stage.launch(0)
    lost = stage.slot(0)
    unseen = replace(stage.look(), instances=(), slots=stage.ledger.slots())

    (outcome,) = stage.actor.carry_out(FleetPlan(reason="", launch=(0,)), unseen)

    assert outcome.instance == stage.ec2.instances()[0].id
    assert len(stage.ec2.instances()) == 1
    assert (lost.failures, lost.not_before) == (0, 0.0)  # nobody knows that it failed
    assert stage.slot(0).token == lost.token


def test_an_answer_counts_from_when_it_came(stage: Stage) -> None:
    stage.ec2.errors = {0: ServiceBusy("timed out")}
    stage.launch(0)
    stage.clock.advance(80)
    stage.ec2.errors = {}

    stage.launch(0)

    assert stage.slot(0).epoch == 1
    assert stage.slot(0).started_at == stage.clock.now()


def test_a_daemon_that_was_frozen_after_its_intent_does_not_launch(stage: Stage) -> None:
    seen = stage.look()

    class FrozenLedger(StingyLedger):
        def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
            stage.clock.advance(91)
            return super().write_slot(slot, seen=seen)

    actor = stage.act_with(FrozenLedger())

    (outcome,) = actor.carry_out(FleetPlan(reason="", launch=(0,)), seen)

    assert outcome.problem == "its intent is too old to be asked again"
    assert stage.ec2.calls == []


@pytest.mark.parametrize("error", [WrongState("gone"), ServiceDenied("not allowed")])
def test_one_refused_launch_pauses_its_slot_and_stops_no_other(
    stage: Stage, error: Exception
) -> None:
    stage.ec2.errors = {0: error}

    outcomes = stage.actor.carry_out(FleetPlan(reason="", launch=(0, 1)), stage.look())

    assert [outcome.done for outcome in outcomes] == [False, True]
    assert stage.slot(0).failures == 1
    assert 2.5 <= stage.slot(0).not_before - stage.clock.now() <= 5


def test_a_refused_start_is_replaced_by_a_spare_in_the_same_tick(stage: Stage) -> None:
    first, second, third = stage.stopped(0, 1, 2)
    stage.ec2.errors = {first.instance: NoCapacity("none left")}
    plan = FleetPlan(reason="", start=(first, second), spare=(third,))

    outcomes = stage.actor.carry_out(plan, stage.look())

    assert [(o.instance, o.done) for o in outcomes] == [
        (first.instance, False),
        (second.instance, True),
        (third.instance, True),
    ]
    assert stage.slot(0).failures == 1


def test_after_a_lost_reply_no_spare_is_started(stage: Stage) -> None:
    first, second = stage.stopped(0, 1)
    stage.ec2.errors = {first.instance: ServiceBusy("timed out")}

    stage.actor.carry_out(FleetPlan(reason="", start=(first,), spare=(second,)), stage.look())

    assert stage.ec2.calls == [("start", first.instance)]


def test_a_start_is_measured_from_now_and_unproven(stage: Stage) -> None:
    (first,) = stage.stopped(0)
    slot = stage.slot(0)
    stage.ledger.write_slot(replace(slot, failures=3, not_before=1.0), seen=slot)

    stage.actor.carry_out(FleetPlan(reason="", start=(first,)), stage.look())

    slot = stage.slot(0)
    assert (slot.started_at, slot.stopped_since) == (stage.clock.now(), None)
    # EC2's yes is no success: a start may fall back.  Only a heartbeat makes failures forgotten.
    assert (slot.failures, slot.unproven, slot.epoch) == (3, True, 1)


def test_a_start_goes_on_although_an_earlier_one_could_not_be_written(stage: Stage) -> None:
    (first,) = stage.stopped(0)
    seen = stage.look()
    stage.ledger.error = ServiceBusy("throttled")

    (outcome,) = stage.actor.carry_out(FleetPlan(reason="", start=(first,)), seen)

    assert outcome.problem == "ServiceBusy: throttled"
    assert stage.ec2.calls == []


def test_what_is_no_longer_stopped_is_not_terminated(stage: Stage) -> None:
    first, second = stage.stopped(0, 1)
    seen = stage.look()
    stage.ec2.start(first.instance)
    plan = FleetPlan(reason="", terminate=(first.instance, second.instance))

    outcomes = stage.actor.carry_out(plan, seen)

    assert [outcome.done for outcome in outcomes] == [False, True]
    assert stage.instance(first.instance).state is InstanceState.PENDING
    assert stage.instance(second.instance).state is InstanceState.SHUTTING_DOWN


def test_one_failed_termination_stops_no_other(stage: Stage) -> None:
    first, second = stage.stopped(0, 1)
    stage.ec2.errors = {first.instance: ServiceBusy("throttled")}
    plan = FleetPlan(reason="", terminate=(first.instance, second.instance))

    outcomes = stage.actor.carry_out(plan, stage.look())

    assert [(o.action, o.done) for o in outcomes] == [
        (Action.TERMINATE, False),
        (Action.TERMINATE, True),
    ]


def test_told_to_stop_it_ends_between_two_actions(stage: Stage) -> None:
    actor = stage.act_with(halted=lambda: len(stage.ec2.calls) == 1)

    outcomes = actor.carry_out(FleetPlan(reason="", launch=(0, 1, 2)), stage.look())

    assert len(outcomes) == 1


def test_a_launch_whose_token_was_used_up_heals_with_the_next_epoch(stage: Stage) -> None:
    """An emptied table begins its epochs, and so its tokens, anew."""
    (first,) = stage.stopped(0)
    stage.ec2.terminate(first.instance)
    stage.clock.advance(60)
    stage.ledger = StingyLedger()
    stage.ports = replace(stage.ports, ledger=stage.ledger)
    stage.actor = stage.act_with()
    stage.queue.send(["chunk"])

    for _ in range(3):
        seen = stage.look()
        stage.actor.carry_out(decide(seen, POLICY), seen)

    states = [instance.state for instance in stage.ec2.instances()]
    assert states == [InstanceState.TERMINATED, InstanceState.PENDING]


@pytest.mark.parametrize("error", [NoCapacity("none left"), ServiceDenied("not allowed")])
def test_a_clear_no_ends_an_intent_and_frees_its_place(stage: Stage, error: Exception) -> None:
    stage.ec2.errors = {0: error}
    stage.launch(0)
    stage.ec2.errors = {}
    stage.clock.advance(80)
    stage.queue.send(["chunk"])

    plan = decide(stage.look(), POLICY)
    stage.actor.carry_out(plan, stage.look())

    assert "unanswered" not in plan.reason
    assert len(stage.ec2.instances()) == 1


# --- capacity

FIRST, SECOND, THIRD = Offering(type="a"), Offering(type="b"), Offering(type="c")


def test_a_launch_takes_the_first_offer_with_capacity_in_the_same_tick(stage: Stage) -> None:
    stage.ec2.full = {FIRST, SECOND}
    plan = FleetPlan(reason="", launch=(0,), offers=(FIRST, SECOND, THIRD))

    outcomes = stage.actor.carry_out(plan, stage.look())

    slot = stage.slot(0)
    assert [outcome.done for outcome in outcomes] == [False, False, True]
    assert [one.type for one in stage.ec2.instances()] == ["c"]
    assert [offer for offer, _ in slot.refusals] == [FIRST, SECOND]
    assert (slot.epoch, slot.offer) == (3, THIRD)  # each try by a token of its own


def test_an_offer_without_capacity_is_asked_for_once_a_tick(stage: Stage) -> None:
    stage.ec2.full = {FIRST}
    plan = FleetPlan(reason="", launch=(0, 1, 2), offers=(FIRST, SECOND))

    stage.actor.carry_out(plan, stage.look())

    assert stage.ec2.calls == [("launch", 0), ("launch", 0), ("launch", 1), ("launch", 2)]


def test_without_an_offer_left_the_other_slots_are_not_tried_and_do_not_pause(
    stage: Stage,
) -> None:
    stage.ec2.full = {FIRST}
    plan = FleetPlan(reason="", launch=(0, 1), offers=(FIRST,))

    outcomes = stage.actor.carry_out(plan, stage.look())

    assert stage.ec2.calls == [("launch", 0)]
    assert outcomes[1].problem == "no offer with capacity is left in this round"
    assert [slot.number for slot in stage.ledger.slots()] == [0]


def test_a_launch_of_unknown_fate_asks_again_for_the_same_offer(stage: Stage) -> None:
    stage.ec2.lost = {0}
    plan = FleetPlan(reason="", launch=(0,), offers=(SECOND,))
    stage.actor.carry_out(plan, stage.look())
    unseen = replace(stage.look(), instances=(), slots=stage.ledger.slots())

    (outcome,) = stage.actor.carry_out(replace(plan, offers=(FIRST,)), unseen)

    assert outcome.done
    assert [one.type for one in stage.ec2.instances()] == ["b"]


def test_a_refused_start_without_a_spare_becomes_a_launch_in_the_same_tick(stage: Stage) -> None:
    (first,) = stage.stopped(0)
    (machine,) = stage.ec2.instances()
    stage.ec2.full = {machine.offer}
    plan = FleetPlan(reason="", start=(first,), reserve=(1,), offers=(SECOND,))

    outcomes = stage.actor.carry_out(plan, stage.look())

    assert [(o.action, o.done) for o in outcomes] == [(Action.START, False), (Action.LAUNCH, True)]
    assert stage.slot(0).refusals == ((machine.offer, stage.clock.now()),)


# --- what ends a round


def test_a_throttled_call_ends_the_round_and_is_nobodys_failure(stage: Stage) -> None:
    stage.ec2.errors = {1: Throttled("RequestLimitExceeded")}

    outcomes = stage.actor.carry_out(FleetPlan(reason="", launch=(0, 1, 2)), stage.look())

    assert [outcome.done for outcome in outcomes] == [True, False]
    assert stage.ec2.calls == [("launch", 0), ("launch", 1)]
    assert (stage.slot(1).failures, stage.slot(1).not_before) == (0, 0.0)


def test_a_lease_that_ended_between_two_lines_stops_the_call(stage: Stage) -> None:
    (first,) = stage.stopped(0)

    class Frozen(StingyLedger):
        def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
            stage.clock.advance(801)
            return slot.number == seen.number

    seen = stage.look()
    actor = stage.act_with(Frozen())

    (outcome,) = actor.carry_out(FleetPlan(reason="", start=(first,)), seen)

    assert outcome.problem == "the lease is no longer ours"
    assert stage.ec2.calls == []


def test_a_lease_that_another_took_is_noticed_before_a_termination(stage: Stage) -> None:
    (first,) = stage.stopped(0)
    seen, lease = stage.look(), stage.ledger.lease()
    assert lease is not None
    theirs = replace(lease, owner="them", fence=lease.fence + 1, expires=lease.expires + 2000)
    stage.ledger.write_lease(theirs, seen=lease)

    (outcome,) = stage.actor.carry_out(FleetPlan(reason="", terminate=(first.instance,)), seen)

    assert outcome.problem == "the lease is no longer ours"
    assert stage.ec2.calls == []


def test_a_slot_that_a_later_holder_wrote_stops_a_start(stage: Stage) -> None:
    (first,) = stage.stopped(0)
    seen, slot = stage.look(), stage.slot(0)
    stage.ledger.write_slot(replace(slot, fence=slot.fence + 1), seen=slot)

    (outcome,) = stage.actor.carry_out(FleetPlan(reason="", start=(first,)), seen)

    assert outcome.problem == "somebody else acted in its slot"
    assert stage.ec2.calls == []


# --- stopping, and giving up


def silent(stage: Stage, *slots: int) -> tuple[Stop, ...]:
    """Launched, and of no use since: never heard of."""
    stage.launch(*slots)
    stage.clock.advance(400)
    stage.ec2.calls.clear()
    return tuple(Stop(instance=instance.id) for instance in stage.ec2.instances())


def speak(stage: Stage, name: str) -> None:
    stage.ledger.beat(
        Heartbeat(
            worker=stage.instance(name).arn,
            at=stage.clock.now(),
            busy=1,
            draining=False,
            chunks=1,
            seconds=0.0,
            version="1",
        )
    )


def test_an_orphan_is_stopped(stage: Stage) -> None:
    (stop,) = silent(stage, 0)

    (outcome,) = stage.actor.carry_out(FleetPlan(reason="", stop=(stop,)), stage.look())

    assert (outcome.action, outcome.done) == (Action.STOP, True)
    assert stage.ec2.calls == [("stop", stop.instance)]


def test_an_orphan_that_speaks_before_the_call_is_left_alone(stage: Stage) -> None:
    first, second = silent(stage, 0, 1)
    seen = stage.look()
    speak(stage, first.instance)

    outcomes = stage.actor.carry_out(FleetPlan(reason="", stop=(first, second)), seen)

    assert outcomes[0].problem == "it is of use again, or has stopped"
    assert stage.ec2.calls == [("stop", second.instance)]


def test_a_shutdown_that_hangs_is_ended_by_force_unless_it_has_ended(stage: Stage) -> None:
    stage.launch(0, 1)
    stage.clock.advance(30)
    ended, hanging = (instance.id for instance in stage.ec2.instances())
    stage.ec2.power_off(ended)
    stage.ec2.stop_seconds = 1e9
    stage.ec2.power_off(hanging)
    seen = replace(
        stage.look(),
        slots=tuple(replace(slot, stopping_since=0.0) for slot in stage.ledger.slots()),
    )
    stage.clock.advance(100)
    stops = (Stop(instance=ended, force=True), Stop(instance=hanging, force=True))
    stage.ec2.calls.clear()

    outcomes = stage.actor.carry_out(FleetPlan(reason="", stop=stops), seen)

    assert [outcome.done for outcome in outcomes] == [False, True]
    assert stage.ec2.calls == [("force", hanging)]
    assert stage.instance(hanging).state is InstanceState.STOPPED


def test_an_instance_that_cannot_be_stopped_blocks_no_other(stage: Stage) -> None:
    stops = silent(stage, 0, 1)
    stage.ec2.errors = {stops[0].instance: WrongState("it is pending")}

    outcomes = stage.actor.carry_out(FleetPlan(reason="", stop=stops), stage.look())

    assert [outcome.done for outcome in outcomes] == [False, True]


def test_the_slot_says_that_an_instance_is_given_up_before_it_is_terminated(stage: Stage) -> None:
    (first,) = stage.stopped(0)
    stage.ec2.errors = {first.instance: ServiceBusy("timed out")}

    stage.actor.carry_out(FleetPlan(reason="", terminate=(first.instance,)), stage.look())

    assert stage.slot(0).condemned == first.instance
    assert decide(stage.look(), POLICY).terminate == (first.instance,)


def test_a_fresh_launch_is_not_condemned_for_the_instance_before_it(stage: Stage) -> None:
    (first,) = stage.stopped(0)
    stage.actor.carry_out(FleetPlan(reason="", terminate=(first.instance,)), stage.look())
    stage.clock.advance(60)

    stage.launch(0)

    assert stage.slot(0).condemned is None
