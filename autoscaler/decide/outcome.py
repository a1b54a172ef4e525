"""Actions on the fleet and their outcomes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gridwell.engine.errors import (
    GridwellError,
    NoCapacity,
    ServiceBusy,
    ServiceError,
    Throttled,
)
from gridwell.fleet.refusal import Cause

if TYPE_CHECKING:
    from gridwell.fleet.model import Offering


class Action(enum.StrEnum):
    """Kinds of action on the fleet."""

    START = "start"
    LAUNCH = "launch"
    TERMINATE = "terminate"
    STOP = "stop"
    FORCE = "force"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOutcome:
    """Outcome of one action."""

    action: Action
    instance: str | None = None
    slot: int | None = None
    problem: str = ""  #: in words; empty: it was done
    offer: Offering | None = None  #: of a launch
    cause: Cause | None = None  #: why EC2 did not do it; None: it did, or was not asked
    code: str = ""  #: EC2's name for that
    message: str = ""  #: EC2's words
    throttled: bool = False  #: AWS wants fewer calls: no more of this action in this round

    @property
    def done(self) -> bool:
        """True if EC2 accepted the call."""
        return not self.problem


def refused(outcome: ActionOutcome, error: GridwellError) -> ActionOutcome:
    """Return the outcome of a call that EC2 was asked and did not answer well."""
    code, said = ("", "")
    if isinstance(error, ServiceError):
        code, said = error.code, error.message
    return replace(
        unasked(outcome, error),
        cause=cause_of(error),
        code=code or type(error).__name__,
        message=said or str(error),
    )


def unasked(outcome: ActionOutcome, error: GridwellError) -> ActionOutcome:
    """Return the outcome of an action that failed before EC2 was asked for it."""
    return replace(
        outcome,
        problem=f"{type(error).__name__}: {error}",
        throttled=isinstance(error, Throttled),
    )


def cause_of(error: GridwellError) -> Cause:
    """Return what an error of EC2 says of trying again."""
    if isinstance(error, NoCapacity):
        return Cause.FULL
    if isinstance(error, Throttled):
        return Cause.THROTTLED
    return Cause.UNKNOWN if isinstance(error, ServiceBusy) else Cause.NO


def is_no(error: GridwellError) -> bool:
    """Return True if a call surely had no effect."""
    return isinstance(error, NoCapacity) or not isinstance(error, ServiceBusy)
