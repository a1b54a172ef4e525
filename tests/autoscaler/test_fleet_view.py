from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.decide.model import FleetPlan, Read
from autoscaler.decide.outcome import Action, ActionOutcome
from autoscaler.fleet_view import KEPT_DECISIONS, FleetViewWriter, decision_of, instance_views
from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.errors import InvalidMessage, ServiceBusy
from gridwell.engine.ports import Depth
from gridwell.fleet.model import Control, Decision, FleetView, InstanceView
from tests.autoscaler.decide.snapshots import LONG_AGO, NOW, beat, instance, slot_of, snapshot


def test_a_view_with_its_last_arrival_is_what_was_encoded() -> None:
    view = FleetView(
        at=NOW,
        instances=(InstanceView(id="i-0", state="running", slot=0, since=NOW, busy=1, chunks=2),),
        queue=Depth(visible=1, in_flight=2),
        cap=4,
        paused=True,
        decisions=(Decision(at=NOW, reason="1 chunk", launch=1),),
        arrived_at=NOW - 1,
    )

    assert FleetView.decode(view.encode()) == view


def test_a_view_of_before_arrivals_were_kept_can_be_read() -> None:
    view = FleetView(at=NOW, instances=(), queue=Depth(visible=0, in_flight=0), cap=4)

    assert FleetView.decode(view.encode().replace(',"arrived_at":null', "")) == view


def test_the_view_shows_all_that_is_not_terminated_by_slot() -> None:
    working, gone, stopped = instance(1), instance(0, "terminated"), instance(0, "stopped", id="b")
    seen = snapshot(
        working,
        gone,
        stopped,
        slots=(slot_of(working, started_at=NOW - 60), slot_of(stopped)),
        heartbeats={
            working.arn: beat(working, busy=2, chunks=9),
            stopped.arn: beat(stopped, busy=1, chunks=8),  # its last, before it went off
        },
    )

    assert instance_views(seen) == (
        InstanceView(id="b", state="stopped", slot=0, since=LONG_AGO),
        InstanceView(id="i-1", state="running", slot=1, since=NOW - 60, busy=2, chunks=9),
    )


def test_a_decision_counts_what_was_done_and_tells_what_was_not() -> None:
    outcomes = (
        ActionOutcome(action=Action.START, instance="i-0", slot=0, problem="NoCapacity: none left"),
        ActionOutcome(action=Action.START, instance="i-1", slot=1),
        ActionOutcome(action=Action.LAUNCH, instance="i-2", slot=2),
        ActionOutcome(action=Action.TERMINATE, instance="i-3"),
    )

    decision = decision_of(FleetPlan(reason="want 2"), outcomes, at=NOW)

    assert decision == Decision(
        at=NOW, reason="want 2; start i-0: NoCapacity: none left", start=1, launch=1, terminate=1
    )


def test_a_reason_has_an_end() -> None:
    assert len(decision_of(FleetPlan(reason="x" * 10_000), (), at=NOW).reason) == 400


def test_the_last_hundred_decisions_survive_a_restart_the_latest_first() -> None:
    ledger = MemoryLedger()
    for number in range(KEPT_DECISIONS + 5):
        journal = FleetViewWriter(ledger)  # a new daemon each time
        journal.note(Decision(at=NOW + number, reason=str(number)))
        journal.publish(snapshot(taken_at=NOW + number), cap=4)

    view = ledger.view()
    assert view is not None
    assert len(view.decisions) == KEPT_DECISIONS
    assert view.decisions[0].reason == "104"


def test_a_hundred_decisions_fit_an_item_of_the_table() -> None:
    ledger = MemoryLedger()
    journal = FleetViewWriter(ledger)
    for number in range(100):
        journal.note(Decision(at=NOW + number, reason="x" * 400))
    journal.publish(snapshot(*(instance(number) for number in range(19))), cap=19)

    view = ledger.view()
    assert view is not None
    assert len(view.encode()) < 100_000  # DynamoDB takes 400 KiB


def test_the_view_is_written_when_something_changed_or_after_ten_seconds() -> None:
    journal = FleetViewWriter(MemoryLedger())
    seen = snapshot(instance(0))

    def written(after: float, **changes: object) -> bool:
        return journal.publish(
            replace(seen, taken_at=NOW + after, heartbeats={}, **changes),  # type: ignore[arg-type]
            cap=4,
        )

    assert written(0.0)
    assert not written(1.0)
    assert written(2.0, instances=(instance(0, "stopping"),))
    assert not written(3.0, instances=(instance(0, "stopping"),))
    assert written(4.0, control=Control(paused=True), instances=(instance(0, "stopping"),))
    assert written(14.1, control=Control(paused=True), instances=(instance(0, "stopping"),))


def test_an_arrival_between_two_writes_is_not_forgotten() -> None:
    journal = FleetViewWriter(MemoryLedger())
    journal.publish(snapshot(arrived_at=NOW - 50), cap=4)

    assert not journal.publish(snapshot(taken_at=NOW + 3, arrived_at=NOW + 3), cap=4)
    last = journal.last()
    assert last is not None
    assert last.arrived_at == NOW + 3


def test_what_could_not_be_read_stays_as_it_was_last_known() -> None:
    ledger = MemoryLedger()
    FleetViewWriter(ledger).publish(snapshot(instance(0), visible=5), cap=4)

    blind = snapshot(taken_at=NOW + 20, unknown=frozenset({Read.INSTANCES, Read.DEPTH}))
    FleetViewWriter(ledger).publish(blind, cap=4)

    view = ledger.view()
    assert view is not None
    assert (view.at, view.instances[0].id, view.queue.visible) == (NOW + 20, "i-0", 5)


@pytest.mark.parametrize("error", [InvalidMessage("strange"), KeyError("at"), ValueError("json")])
def test_a_view_that_cannot_be_read_is_begun_anew(error: Exception) -> None:
    class Strange(MemoryLedger):
        def view(self) -> FleetView | None:
            if self._view is None:
                raise error
            return super().view()

    ledger = Strange()
    journal = FleetViewWriter(ledger)

    assert journal.last() is None
    assert journal.publish(snapshot(), cap=4)
    assert ledger.view() is not None


def test_decisions_wait_while_the_ledger_is_away() -> None:
    class Away(MemoryLedger):
        away = True

        def write_view(self, view: FleetView) -> None:
            if self.away:
                raise ServiceBusy("throttled")
            super().write_view(view)

    ledger = Away()
    journal = FleetViewWriter(ledger)
    journal.note(Decision(at=NOW, reason="kept"))
    with pytest.raises(ServiceBusy):
        journal.publish(snapshot(), cap=4)
    ledger.away = False

    assert journal.publish(snapshot(taken_at=NOW + 1), cap=4)
    view = ledger.view()
    assert view is not None
    assert [decision.reason for decision in view.decisions] == ["kept"]


def test_the_view_keeps_an_hour_of_samples_across_daemons() -> None:
    ledger = MemoryLedger()
    for number in range(400):
        seen = snapshot(instance(0), visible=number, taken_at=NOW + 10 * number)
        FleetViewWriter(ledger).publish(seen, cap=4)

    view = ledger.view()
    assert view is not None
    columns = view.history.columns()
    assert len(columns["at"]) == 361
    assert columns["visible"][-1] == 399
    assert set(columns["running"]) == {1}


def test_the_history_alone_is_no_reason_to_write() -> None:
    journal = FleetViewWriter(MemoryLedger())
    journal.publish(snapshot(instance(0), taken_at=NOW + 9), cap=4)

    assert not journal.publish(snapshot(instance(0), taken_at=NOW + 12), cap=4)


def test_a_running_instance_is_billed_while_it_cannot_be_seen() -> None:
    ledger = MemoryLedger()
    FleetViewWriter(ledger).publish(snapshot(instance(0)), cap=4)

    blind = snapshot(taken_at=NOW + 1000, unknown=frozenset({Read.INSTANCES}))
    FleetViewWriter(ledger).publish(blind, cap=4)

    view = ledger.view()
    assert view is not None
    assert view.bill.seconds(NOW + 1000) == NOW + 1000 - LONG_AGO
