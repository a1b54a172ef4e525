"""What can be done to the fleet, what becomes of it, and what ends a round of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import (
    GridwellError,
    NoCapacity,
    ServiceBusy,
    ServiceError,
    Throttled,
)
from gridwell.fleet.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.leadership import Leadership
    from gridwell.fleet.model import Offering

_NOT_OURS: Final = "the lease is no longer ours"


class Action(enum.StrEnum):
    """What can be done to the fleet."""

    START = "start"
    LAUNCH = "launch"
    TERMINATE = "terminate"
    STOP = "stop"
    FORCE = "force"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOutcome:
    """What became of one action."""

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
        """Whether EC2 said yes."""
        return not self.problem


class Ended(Exception):  # noqa: N818 - it ends a round, and is no error
    """This round is to do nothing more."""

    def __init__(self, outcome: ActionOutcome | None = None) -> None:
        self.outcome = outcome
        super().__init__()


class LeadershipCheck:
    """Asked before each call: whether it may be made.

    Args:
        tenure: the hold on the lease.
        halted: whether we were told to stop.
    """

    def __init__(self, tenure: Leadership, halted: Callable[[], bool]) -> None:
        self._tenure = tenure
        self._halted = halted

    @property
    def fence(self) -> int:
        """What writes to slots carry."""
        return self._tenure.fence

    def check(self, outcome: ActionOutcome) -> None:
        """Let the next call be made.

        Raises:
            Ended: told to stop, or the lease has ended.
        """
        if self._halted():
            raise Ended
        if not self._tenure.holds:
            raise Ended(replace(outcome, problem=_NOT_OURS))

    def confirm(self, outcome: ActionOutcome) -> None:
        """The same, and proved by a write where the action itself may write no slot.

        Raises:
            Ended: told to stop, or the lease is somebody else's.
            ServiceError: if the ledger is away.
        """
        self.check(outcome)
        if not self._tenure.renew():
            raise Ended(replace(outcome, problem=_NOT_OURS))


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
    """Whether a call surely had no effect: all but the errors that leave it open."""
    return isinstance(error, NoCapacity) or not isinstance(error, ServiceBusy)
