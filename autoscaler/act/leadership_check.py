"""Check before each call that this autoscaler still leads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.decide.outcome import ActionOutcome
    from autoscaler.leadership import Leadership

_NOT_LEADER: Final = "the lease is no longer ours"


class RoundEnded(Exception):  # noqa: N818 - control flow, not an error
    """End this round: no further call may be made."""

    def __init__(self, outcome: ActionOutcome | None = None) -> None:
        self.outcome = outcome
        super().__init__()


class LeadershipCheck:
    """Allow a call only while this autoscaler leads and runs.

    Args:
        leadership: the hold on the lease.
        halted: returns True after a request to stop.
    """

    def __init__(self, leadership: Leadership, halted: Callable[[], bool]) -> None:
        self._leadership = leadership
        self._halted = halted

    @property
    def fence(self) -> int:
        """The fence that writes to slots carry."""
        return self._leadership.fence

    def check(self, outcome: ActionOutcome) -> None:
        """Return if the next call may be made.

        Raises:
            RoundEnded: a stop was requested, or the lease has ended.
        """
        if self._halted():
            raise RoundEnded
        if not self._leadership.holds:
            raise RoundEnded(replace(outcome, problem=_NOT_LEADER))

    def confirm(self, outcome: ActionOutcome) -> None:
        """Check, and prove leadership by renewing the lease; for actions that write no slot.

        Raises:
            RoundEnded: a stop was requested, or another autoscaler holds the lease.
            ServiceError: the ledger is unavailable.
        """
        self.check(outcome)
        if not self._leadership.renew():
            raise RoundEnded(replace(outcome, problem=_NOT_LEADER))
