"""The fleet's view in the ledger: the web tier's only knowledge of EC2, and the last decisions.

It is also the daemon's only memory of the time before its start.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from autoscaler.decide.launch_intents import beat_of, shown_since
from autoscaler.decide.model import Read
from autoscaler.decide.outcome import Action
from gridwell.engine.errors import InvalidMessage
from gridwell.fleet.billing import Bill
from gridwell.fleet.history import History, Sample
from gridwell.fleet.model import Decision, FleetView, InstanceState, InstanceView

if TYPE_CHECKING:
    from autoscaler.decide.model import FleetPlan, Snapshot
    from autoscaler.decide.outcome import ActionOutcome
    from gridwell.engine.ports import Depth
    from gridwell.fleet.ports import FleetLedger
    from gridwell.fleet.refusal import Refusal

KEPT_DECISIONS: Final = 100
VIEW_SECONDS: Final = 10.0  #: a view older than this means that nobody looks after the fleet
_LONGEST_REASON: Final = 400  #: characters: a hundred of them stay far below an item's limit

_LOG: Final = logging.getLogger(__name__)


def decision_of(plan: FleetPlan, outcomes: tuple[ActionOutcome, ...], *, at: float) -> Decision:
    """Return the view's record of a plan; its counts are of completed actions."""
    done = [outcome.action for outcome in outcomes if outcome.done]
    problems = dict.fromkeys(
        f"{outcome.action} {outcome.instance or outcome.slot}: {outcome.problem}"
        for outcome in outcomes
        if not outcome.done
    )
    reason = "; ".join((plan.reason, *problems))
    return Decision(
        at=at,
        reason=reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…",
        start=done.count(Action.START),
        launch=done.count(Action.LAUNCH),
        terminate=done.count(Action.TERMINATE),
        stop=done.count(Action.STOP) + done.count(Action.FORCE),
    )


def instance_views(snapshot: Snapshot) -> tuple[InstanceView, ...]:
    """Return the instances that are not terminated, by slot, with their last heartbeats."""
    slots = {slot.number: slot for slot in snapshot.slots}
    views = []
    for instance in snapshot.instances:
        if instance.state is InstanceState.TERMINATED:
            continue
        # What one that is off last said is over.
        on = instance.state.is_on
        beat = beat_of(instance, snapshot.heartbeats, slots) if on else None
        views.append(
            InstanceView(
                id=instance.id,
                state=instance.state.value,
                slot=instance.slot,
                since=shown_since(instance, slots),
                busy=None if beat is None else beat.busy,
                chunks=None if beat is None else beat.chunks,
            )
        )
    return tuple(sorted(views, key=lambda view: (view.slot is None, view.slot, view.id)))


class FleetViewWriter:
    """The view, read once and then written by us alone.

    Args:
        ledger: where it is kept.
    """

    def __init__(self, ledger: FleetLedger) -> None:
        self._ledger = ledger
        self._loaded = False
        self._written: FleetView | None = None
        self._current: FleetView | None = None  #: newer than the written one by less than due
        self._new: tuple[Decision, ...] = ()

    def last(self) -> FleetView | None:
        """Return the last view, by this daemon or the one before it; None: there is none.

        Raises:
            ServiceError: the ledger is unavailable and the view was not read yet.
        """
        if not self._loaded:
            try:
                self._written = self._current = self._ledger.view()
            except (InvalidMessage, KeyError, TypeError, ValueError) as error:
                _LOG.warning(
                    "The fleet's last view cannot be read and is begun anew: %r",
                    error,
                    extra={"action": "fleet.view_unreadable"},
                )
            self._loaded = True
        return self._current

    def note(self, decision: Decision) -> None:
        """Keep a decision for the next view."""
        self._new = (decision, *self._new)[:KEPT_DECISIONS]

    def publish(
        self,
        snapshot: Snapshot,
        *,
        cap: int,
        held: str = "",
        owner: str = "",
        refusals: tuple[Refusal, ...] | None = None,
    ) -> bool:
        """Write the view if it changed, or is getting old.

        What could not be read stays as it was last known: a throttled describe must not look
        like an empty fleet.

        Args:
            snapshot: as last seen.
            cap: the cap in force.
            held: why instances that are wanted cannot be had.
            owner: of the lease.
            refusals: what is to be remembered; None: the snapshot's.

        Returns:
            Whether it was written.

        Raises:
            ServiceError: if the ledger is away; the decisions wait for the next time.
        """
        last = self.last()
        blind = Read.INSTANCES in snapshot.unknown and last is not None
        deaf = Read.DEPTH in snapshot.unknown and last is not None
        instances = last.instances if last and blind else instance_views(snapshot)
        queue = last.queue if last and deaf else snapshot.depth
        sample = _sample(instances, queue, at=snapshot.taken_at, cap=cap)
        view = FleetView(
            at=snapshot.taken_at,
            instances=instances,
            queue=queue,
            cap=cap,
            paused=snapshot.control.paused,
            decisions=(self._new + (last.decisions if last else ()))[:KEPT_DECISIONS],
            arrived_at=snapshot.arrived_at,
            held=held,
            owner=owner,
            refusals=snapshot.refusals if refusals is None else refusals,
            bill=last.bill if last and blind else _billed(last, instances, snapshot.taken_at),
            history=(last.history if last else History()).with_sample(sample),
        )
        self._current, self._new = view, ()
        if self._written is not None and not _due(self._written, view):
            return False
        self._ledger.write_view(view)
        self._written = view
        return True


def _due(last: FleetView, view: FleetView) -> bool:
    if not 0 <= view.at - last.at < VIEW_SECONDS:
        return True
    # The history grows with each view that is written, and is no reason to write one.
    return replace(last, at=view.at, arrived_at=view.arrived_at, history=view.history) != view


def _billed(last: FleetView | None, instances: tuple[InstanceView, ...], now: float) -> Bill:
    running = {
        instance.id: now if instance.since is None else instance.since
        for instance in instances
        if instance.state == InstanceState.RUNNING
    }
    before = Bill() if last is None else last.bill
    return before.after(running, now=now, last=None if last is None else last.at)


def _sample(instances: tuple[InstanceView, ...], queue: Depth, *, at: float, cap: int) -> Sample:
    states = Counter(instance.state for instance in instances)
    return Sample(
        at=int(at),
        pending=states[InstanceState.PENDING],
        running=states[InstanceState.RUNNING],
        stopping=states[InstanceState.STOPPING],
        stopped=states[InstanceState.STOPPED],
        visible=queue.visible,
        in_flight=queue.in_flight,
        cap=cap,
    )
