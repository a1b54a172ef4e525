"""Assign instances to slots, also where an instance's tag is missing or invalid.

The ledger's record of its id comes first, as anyone can edit tags; then its own tag; then
the token of its launch.  A machine that none of them places is adopted: it gets a slot of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gridwell.fleet.model import InstanceState, Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gridwell.fleet.model import Instance

PLACES: Final = 100  #: slots have two digits


def placed(instances: Iterable[Instance], slots: Iterable[Slot]) -> tuple[Instance, ...]:
    """Return the instances with their slots; None: unknown.

    Args:
        instances: as EC2 shows them.
        slots: as the ledger has them.
    """
    known, seen = tuple(slots), tuple(instances)
    numbers = _numbers(known)
    alive = {one.id for one in seen if one.state is not InstanceState.TERMINATED}
    # Tags can be copied from one machine to another, the token among them.
    tokens = {
        slot.token: slot.number
        for slot in known
        if slot.token is not None and slot.instance not in alive
    }

    def place(instance: Instance) -> int | None:
        recorded = numbers.get(instance.id, frozenset())
        if instance.slot in recorded:
            return instance.slot
        if recorded:
            return min(recorded)
        if instance.slot is None and instance.token is not None:
            return tokens.get(instance.token)
        return instance.slot

    return tuple(
        instance if (slot := place(instance)) == instance.slot else replace(instance, slot=slot)
        for instance in seen
    )


def adopted(slots: Sequence[Slot], instances: Sequence[Instance]) -> tuple[Slot, ...]:
    """Return the slots, and one more for each machine that nothing places.

    Args:
        slots: as the ledger has them.
        instances: as `placed` returned them.
    """
    alive = [one for one in instances if one.state is not InstanceState.TERMINATED]
    strays = sorted(one.id for one in alive if one.slot is None)
    if not strays:
        return tuple(slots)
    taken = {one.slot for one in alive} | {slot.number for slot in slots}
    free = (number for number in range(PLACES) if number not in taken)
    # Without a number left they stay where they are: on, or stopped, and counted.
    new = [Slot(number=number, instance=name) for name, number in zip(strays, free, strict=False)]
    return tuple(sorted((*slots, *new), key=lambda slot: slot.number))


def _numbers(slots: Iterable[Slot]) -> dict[str, frozenset[int]]:
    """Return the slots that name each instance."""
    numbers: dict[str, frozenset[int]] = {}
    for slot in slots:
        if slot.instance is not None:
            numbers[slot.instance] = numbers.get(slot.instance, frozenset()) | {slot.number}
    return numbers
