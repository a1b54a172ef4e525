"""Refusals that outlive a tick: what EC2 would not do, for which machine or offer, since when."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

ALL: Final = "*"  #: the target of a refusal that concerns an action as such
LONGEST_MESSAGE: Final = 200  #: characters


class Cause(enum.StrEnum):
    """Why an action came to nothing, as far as it says who may be tried instead."""

    FULL = "no capacity"  #: EC2 has no room for this type in this zone
    NO = "refused"  #: a clear refusal, without effect
    UNKNOWN = "unanswered"  #: a fault of the service: whether it had an effect is unknown
    IDLE = "without effect"  #: EC2 agreed, and nothing has changed yet
    THROTTLED = "throttled"  #: too many calls of this action
    SILENT = "no heartbeat"  #: a boot that came to no heartbeat
    UNREADABLE = "unreadable"  #: a row of the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One action on one target that came to nothing, `count` times in a row."""

    action: str  #: start, launch, stop, force, terminate, boot, or read
    target: str  #: an instance's id, an offer's name, a row's name, or `ALL`
    cause: str  #: of the last time, one of `Cause`
    code: str = ""  #: EC2's error code or StateReason of the last time
    message: str = ""  #: EC2's words
    since: float  #: the first time in the row
    at: float  #: the last one
    count: int = 1
    release: str = ""  #: of a boot

    @property
    def key(self) -> tuple[str, str]:
        """What it is about."""
        return self.action, self.target

    def again(self, later: Refusal) -> Refusal:
        """Return the refusal that follows from this one and the next of its kind."""
        if later.release != self.release:
            return later
        return Refusal(
            action=self.action,
            target=self.target,
            cause=later.cause,
            code=later.code,
            message=later.message,
            since=self.since,
            at=later.at,
            count=self.count + later.count,
            release=self.release,
        )
