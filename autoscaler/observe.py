"""Observe EC2, the ledger and the queue; a failed read is marked unknown, never guessed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast

from autoscaler.decide.boot_health import judge
from autoscaler.decide.classic_rule import arrived_at
from autoscaler.decide.failures import booted, kept, noted
from autoscaler.decide.fitness import remembered as remembered_unfit
from autoscaler.decide.launch_intents import remember
from autoscaler.decide.model import Read, Snapshot
from autoscaler.decide.slot_assignment import adopted, placed
from autoscaler.decide.unreadable_rows import healed, known, rows, switch
from autoscaler.observed_ports import ObservedEc2, ObservedLedger, OwnClock
from gridwell.engine.errors import GridwellError
from gridwell.engine.ports import Depth
from gridwell.fleet.model import Control, InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from autoscaler.decide.model import Policy
    from gridwell.engine.ports import Clock, Queue
    from gridwell.engine.task_failure import Suspect
    from gridwell.fleet.model import FleetView, Heartbeat
    from gridwell.fleet.ports import Ec2, FleetLedger

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPorts:
    """All that the autoscaler touches."""

    ec2: Ec2
    chunks: Queue
    ledger: FleetLedger
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A slot of which the observation showed something new."""

    slot: Slot
    seen: Slot  #: as the ledger has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A snapshot, and what comes with it."""

    snapshot: Snapshot
    learned: tuple[Learned, ...] = ()  #: for the ledger to remember
    problems: tuple[str, ...] = ()  #: why the snapshot's `unknown` reads failed, in words


class _PortReader:
    """Reads that may fail, each by itself."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self.problems: list[str] = []

    def read(self, name: Read, call: Callable[[], _Value]) -> _Value | None:
        """Return the call's result, or None and a note that it failed."""
        try:
            return call()
        except GridwellError as error:
            self.unknown.add(name)
            self.problems.append(f"{name}: {type(error).__name__}: {error}")
            return None


def observed(ports: ObservedPorts, clock: OwnClock) -> ObservedPorts:
    """Return the ports with all times by our own clock, for one autoscaler's life."""
    return replace(
        ports,
        ec2=cast("Ec2", ObservedEc2(ports.ec2, clock)),
        ledger=cast("FleetLedger", ObservedLedger(ports.ledger, clock)),
        clock=clock,
    )


def observe(
    ports: ObservedPorts,
    previous: FleetView | None,
    policy: Policy,
    *,
    places: Iterable[int] | None = None,
) -> Observation:
    """Look at everything once: one describe, two short queries, the depth, one batch of beats.

    Args:
        ports: where to look.
        previous: the view last written, for what only a difference shows; None: there is none.
        policy: how late EC2 may show an instance.
        places: the slots that can have been used; None: all that there are.
    """
    reader = _PortReader()
    instances = reader.read(Read.INSTANCES, ports.ec2.instances) or ()
    release = reader.read(Read.RELEASE, ports.ec2.release)
    depth = reader.read(Read.DEPTH, ports.chunks.depth)
    slots = reader.read(Read.SLOTS, lambda: ports.ledger.slots(places)) or ()
    control = reader.read(Read.CONTROL, ports.ledger.control) or Control()
    remembered = slots
    refusals = () if previous is None else previous.refusals
    reliable = reader.unknown.isdisjoint((Read.INSTANCES, Read.SLOTS))
    if reliable:
        instances = placed(instances, slots)
        remembered = healed(
            slots,
            instances,
            refusals,
            now=ports.clock.now(),
            after_seconds=policy.intent_seconds,
        )
        remembered = adopted(remembered, instances)
        instances = placed(instances, remembered)
        remembered = remember(
            remembered, instances, now=ports.clock.now(), lag_seconds=policy.lag_seconds
        )
        refusals = kept(refusals, instances, now=ports.clock.now())
    open_boots = {slot.instance for slot in remembered if slot.unproven}
    # Also of those that are off: a later change tells a new life from what the last one left.
    workers = [
        i.arn for i in instances if i.state is not InstanceState.TERMINATED or i.id in open_boots
    ]
    beats: Mapping[str, Heartbeat] = {}
    if workers:
        beats = reader.read(Read.HEARTBEATS, lambda: ports.ledger.heartbeats(workers)) or {}
    suspects: Mapping[str, Suspect] = {}
    if workers:
        suspects = reader.read(Read.HEARTBEATS, lambda: ports.ledger.suspects(workers)) or {}
    now = ports.clock.now()
    if reliable and Read.HEARTBEATS not in reader.unknown:
        before = remembered
        remembered = judge(before, instances, beats, now=now, policy=policy)
        failed, proven = booted(before, remembered, instances, now=now)
        refusals = noted(refusals, failed, ended=proven) if failed or proven else refusals
        refusals = remembered_unfit(refusals, instances, beats, suspects, now=now)
    if reader.unknown.isdisjoint((Read.SLOTS, Read.CONTROL, Read.HEARTBEATS)):
        refusals = known(refusals, rows(slots, beats, control, now=now))
    snapshot = Snapshot(
        taken_at=now,
        depth=depth or Depth(visible=0, in_flight=0),
        instances=instances,
        release=release,
        slots=remembered,
        control=switch(control, previous),
        heartbeats=beats,
        suspects=suspects,
        arrived_at=arrived_at(
            None if previous is None else previous.arrived_at,
            None if previous is None else previous.queue,
            depth,
            now=now,
        ),
        unknown=frozenset(reader.unknown),
        refusals=refusals,
    )
    return Observation(
        snapshot=snapshot,
        learned=_learned(slots, remembered),
        problems=tuple(reader.problems),
    )


def _learned(before: tuple[Slot, ...], after: tuple[Slot, ...]) -> tuple[Learned, ...]:
    known = {slot.number: slot for slot in before}
    pairs = ((slot, known.get(slot.number) or Slot(number=slot.number)) for slot in after)
    return tuple(Learned(slot=slot, seen=seen) for slot, seen in pairs if slot != seen)
