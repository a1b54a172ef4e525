"""Plan of faults as frozen data, and the decision for one call.

The same plan and the same calls in the same order give the same faults. A draw depends only on the
plan's seed, the fault's place in the plan and the number of the call. So calls of one kind do not
shift the chances of another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One line of a plan: what happens, where, and how often.

    Either `probability` or `nth` is given.
    """

    kind: str  #: one of `gridwell.local_stack.faults.kinds.KINDS`
    service: str | None = None  #: as AWS signs it, like ``sqs``; None: any
    operation: str | None = None  #: as AWS names it, like ``SendMessageBatch``; None: any
    #: A queue's, table's or bucket's name, an object's key, or an instance's id.
    resource: str | None = None
    program: str | None = None  #: the caller's, as in ``python -m``: ``web_tier serve``
    probability: float | None = None  #: of each call, or each message or entry of it
    nth: int | None = None  #: the first of the matching calls that meets it, from 1
    times: int | None = None  #: how often at most; with `nth` that many in a row
    seconds: tuple[float, float] | None = None  #: least and most; its sense is the kind's


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """All that shall go wrong."""

    seed: int
    faults: tuple[PlannedFault, ...]


NOTHING = FaultPlan(seed=0, faults=())


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTarget:
    """Target of a fault: the properties of a call that a plan can name."""

    service: str
    operation: str
    resources: AbstractSet[str] = frozenset()


def concerns(fault: PlannedFault, place: FaultTarget) -> bool:
    """Return True if a fault is planned for calls like this one, whatever the program."""
    return (
        fault.service in (None, place.service)
        and fault.operation in (None, place.operation)
        and (fault.resource is None or fault.resource in place.resources)
    )


def is_program(told: str, found: str) -> bool:
    """Return True if a program begins with some words: ``web_tier`` means all its commands."""
    return found.split()[: len(told.split())] == told.split()


def strikes(fault: PlannedFault, *, number: int, struck: int, draw: float) -> bool:
    """Return True if a fault happens at this call.

    Args:
        fault: concerns this call.
        number: of this call among those that it concerns, from 1.
        struck: how often it has happened already.
        draw: in [0, 1), see `chance`.
    """
    if fault.times is not None and struck >= fault.times:
        return False
    if fault.nth is not None:
        return number >= fault.nth
    return fault.probability is not None and draw < fault.probability


def chance(seed: int, place: int, number: int, what: str = "") -> float:
    """A number in [0, 1) that looks random and depends on nothing but the arguments.

    Args:
        seed: the plan's.
        place: the fault's, in the plan.
        number: of the call.
        what: distinguishes several draws at one call.
    """
    digest = hashlib.blake2b(f"{seed} {place} {number} {what}".encode(), digest_size=7).digest()
    return (int.from_bytes(digest) >> 3) / 2**53


def between(bounds: tuple[float, float], draw: float) -> float:
    """The number so far between two bounds."""
    least, most = bounds
    return least + (most - least) * draw
