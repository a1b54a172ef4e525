"""Rows of the ledger that cannot be read: each affects its own machine or slot alone.

An unreadable slot keeps its place until any launch that it may record must be visible, and is
then rewritten.  A switch that cannot be read stays as it was last known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.decide.failures import READ, refusal
from gridwell.fleet.model import InstanceState, Slot
from gridwell.fleet.refusal import Cause, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gridwell.fleet.model import Control, FleetView, Heartbeat, Instance


def rows(
    slots: Iterable[Slot], beats: Mapping[str, Heartbeat], control: Control, *, now: float
) -> tuple[Refusal, ...]:
    """Return the rows that could not be read at one look.

    Args:
        slots: as the ledger gave them.
        beats: the same, by worker.
        control: the same.
        now: the time.
    """
    found = {f"slot {slot.number:02d}": slot.unreadable for slot in slots if slot.unreadable}
    found |= {f"heartbeat of {w}": beat.unreadable for w, beat in beats.items() if beat.unreadable}
    if control.unreadable:
        found["switch"] = f"{' and '.join(control.unreadable)} of the operator's switch"
    return tuple(
        refusal(READ, row, Cause.UNREADABLE, at=now, code="InvalidMessage", message=why)
        for row, why in found.items()
    )


def known(refusals: Iterable[Refusal], found: Sequence[Refusal]) -> tuple[Refusal, ...]:
    """Return the memory with the rows that cannot be read now, and since when.

    Args:
        refusals: as remembered.
        found: what `rows` returned.
    """
    kept = [one for one in refusals if one.action != READ]
    before = {one.target: one for one in refusals if one.action == READ}
    since = [replace(one, since=before.get(one.target, one).since) for one in found]
    return tuple(sorted((*kept, *since), key=lambda one: one.key))


def healed(
    slots: Iterable[Slot],
    instances: Iterable[Instance],
    refusals: Iterable[Refusal],
    *,
    now: float,
    after_seconds: float,
) -> tuple[Slot, ...]:
    """Return the slots, with those rewritten that have been unreadable for long enough.

    Args:
        slots: as the ledger gave them.
        instances: all that EC2 shows, with their slots.
        refusals: what is remembered: since when a row cannot be read.
        now: the time.
        after_seconds: by then EC2 shows every instance that a launch of this slot may have made.
    """
    since = {one.target: one.since for one in refusals if one.action == READ}
    alive = [one for one in instances if one.state is not InstanceState.TERMINATED]
    residents = {one.slot: one.id for one in alive}

    def anew(slot: Slot) -> Slot:
        first = since.get(f"slot {slot.number:02d}", now)
        if not slot.unreadable or now - first <= after_seconds:
            return slot
        # No launch has ever had an epoch as high as the time: its token is new.
        return Slot(
            number=slot.number,
            epoch=max(slot.epoch + 1, int(now)),
            instance=residents.get(slot.number),
            fence=slot.fence,
        )

    return tuple(anew(slot) for slot in slots)


def switch(control: Control, previous: FleetView | None) -> Control:
    """Return the operator's switch; what cannot be read of it is as it was last known.

    Args:
        control: as it was read.
        previous: the last view; None: there is none.
    """
    if previous is None or not control.unreadable:
        return control
    return replace(
        control,
        paused=previous.paused if "paused" in control.unreadable else control.paused,
        cap=previous.cap if "cap" in control.unreadable else control.cap,
    )
