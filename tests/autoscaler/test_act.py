from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from autoscaler.act import Action, Actor
from autoscaler.decide import decide
from autoscaler.intents import launch_token
from autoscaler.model import FleetPlan, Policy, Snapshot, Start
from autoscaler.observe import Ports, observe
from gridwell.adapters.memory import ManualClock, MemoryEc2, MemoryLedger, MemoryQueue
from gridwell.domain.errors import NoCapacity, ServiceBusy, ServiceDenied, WrongState
from gridwell.domain.fleet import Instance, InstanceState, Slot

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

    def launch(self, slot: int, token: str) -> str:
        self.calls.append(("launch", slot))
        self.before_launch(slot, token)
        self._fail(slot)
        name = super().launch(slot, token)
        if slot in self.lost:
            self.lost.remove(slot)
            raise ServiceBusy("the reply was lost")
        return name

    def start(self, instance: str) -> None:
        self.calls.append(("start", instance))
        self._fail(instance)
        super().start(instance)

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
        self.ports = Ports(ec2=self.ec2, chunks=self.queue, ledger=self.ledger, clock=self.clock)
        self.actor = Actor(self.ports, POLICY, fleet="gridwell")

    def look(self) -> Snapshot:
        return observe(self.ports, None).snapshot

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
    stage.ec2.errors = {0: NoCapacity("none left")}
    stage.launch(0)
    stage.clock.advance(200)
    stage.ec2.errors = {}

    stage.launch(0)

    assert stage.slot(0).epoch == 1
    assert stage.slot(0).started_at == stage.clock.now()


def test_a_daemon_that_was_frozen_after_its_intent_does_not_launch(stage: Stage) -> None:
    seen = stage.look()

    class FrozenLedger(StingyLedger):
        def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
            stage.clock.advance(241)
            return super().write_slot(slot, seen=seen)

    actor = Actor(replace(stage.ports, ledger=FrozenLedger()), POLICY, fleet="gridwell")

    (outcome,) = actor.carry_out(FleetPlan(reason="", launch=(0,)), seen)

    assert outcome.problem == "its intent is too old to be asked again"
    assert stage.ec2.calls == []


@pytest.mark.parametrize(
    "error", [NoCapacity("none left"), WrongState("gone"), ServiceDenied("not allowed")]
)
def test_one_refused_launch_pauses_its_slot_and_stops_no_other(
    stage: Stage, error: Exception
) -> None:
    stage.ec2.errors = {0: error}

    outcomes = stage.actor.carry_out(FleetPlan(reason="", launch=(0, 1)), stage.look())

    assert [outcome.done for outcome in outcomes] == [False, True]
    assert stage.slot(0).failures == 1
    assert stage.slot(0).not_before == stage.clock.now() + 5


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


def test_a_start_is_measured_from_now_and_forgets_failures(stage: Stage) -> None:
    (first,) = stage.stopped(0)
    slot = stage.slot(0)
    stage.ledger.write_slot(replace(slot, failures=3, not_before=1.0), seen=slot)

    stage.actor.carry_out(FleetPlan(reason="", start=(first,)), stage.look())

    slot = stage.slot(0)
    assert (slot.started_at, slot.stopped_since) == (stage.clock.now(), None)
    assert (slot.failures, slot.not_before, slot.epoch) == (0, 0.0, 1)


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
    actor = Actor(stage.ports, POLICY, fleet="gridwell", halted=lambda: len(stage.ec2.calls) == 1)

    outcomes = actor.carry_out(FleetPlan(reason="", launch=(0, 1, 2)), stage.look())

    assert len(outcomes) == 1


def test_a_launch_whose_token_was_used_up_heals_with_the_next_epoch(stage: Stage) -> None:
    """An emptied table begins its epochs, and so its tokens, anew."""
    (first,) = stage.stopped(0)
    stage.ec2.terminate(first.instance)
    stage.clock.advance(60)
    stage.ports = replace(stage.ports, ledger=StingyLedger())
    stage.actor = Actor(stage.ports, POLICY, fleet="gridwell")
    stage.queue.send(["chunk"])

    for _ in range(3):
        seen = stage.look()
        stage.actor.carry_out(decide(seen, POLICY), seen)

    states = [instance.state for instance in stage.ec2.instances()]
    assert states == [InstanceState.TERMINATED, InstanceState.PENDING]
