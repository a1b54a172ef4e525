"""Fault plans as frozen data, and the decision whether a fault happens at a call.

The same plan and the same calls in the same order give the same faults.  The draw of a call
depends only on the plan's seed, the fault's position in the plan and the number of the call.  So
calls of one kind do not shift the chances of another.
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
    """All planned faults."""

    seed: int
    faults: tuple[PlannedFault, ...]


NOTHING = FaultPlan(seed=0, faults=())


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTarget:
    """The properties of a call by which a plan can select it."""

    service: str
    operation: str
    resources: AbstractSet[str] = frozenset()


def concerns(fault: PlannedFault, target: FaultTarget) -> bool:
    """Return True if a fault is planned for a call, its program apart."""
    return (
        fault.service in (None, target.service)
        and fault.operation in (None, target.operation)
        and (fault.resource is None or fault.resource in target.resources)
    )


def is_program(planned: str, found: str) -> bool:
    """Return True if a program matches a plan's; ``web_tier`` matches each of its commands."""
    return found.split()[: len(planned.split())] == planned.split()


def strikes(fault: PlannedFault, *, number: int, struck: int, draw: float) -> bool:
    """Return True if a fault happens at a call.

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


def chance(seed: int, line: int, number: int, purpose: str = "") -> float:
    """Return a number in [0, 1) that looks random and depends on nothing but the arguments.

    Args:
        seed: the plan's.
        line: the fault's position in the plan.
        number: of the call.
        purpose: distinguishes several draws at one call.
    """
    digest = hashlib.blake2b(f"{seed} {line} {number} {purpose}".encode(), digest_size=7).digest()
    return (int.from_bytes(digest) >> 3) / 2**53


def between(bounds: tuple[float, float], draw: float) -> float:
    """Return the number at a fraction of the way between two bounds."""
    least, most = bounds
    return least + (most - least) * draw
