"""What each client may ask for, checked before a job is taken that must be computed.

A job that is joined, and one whose answer is known, cost nothing and are always given.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from gridwell.access.quota import (
    Quota,
    charged,
    check_job,
    check_unfinished,
    day_of,
    over_budget,
)
from gridwell.engine.errors import InvalidJob, OverQuota, ServiceError
from web_tier.auth.security_log import Event, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.access.ports import AccessLedger
    from gridwell.engine.kind import Work
    from gridwell.engine.ports import Clock, JobLedger

logger = logging.getLogger(__name__)


class Reservation:
    """What a job was charged; given back when the block ends, unless the job is accepted."""

    def __init__(self, give_back: Callable[[], None] = lambda: None) -> None:
        self._give_back = give_back
        self._accepted = False

    def __enter__(self) -> Self:
        return self

    def accept(self) -> None:
        """The job is accepted: it costs what it costs, however it ends."""
        self._accepted = True

    def __exit__(self, *_: object) -> None:
        if self._accepted:
            return
        try:
            self._give_back()
        except ServiceError as error:
            logger.warning(
                "a job that was not accepted stays charged: %s",
                error,
                extra={"action": "budget.unreturned"},
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCheck:
    """The quotas of all clients."""

    quota: Quota
    jobs: JobLedger
    spending: AccessLedger
    clock: Clock

    def charge(self, client: str, work: Work) -> Reservation:
        """Let a client have one more job computed.

        The count of unfinished jobs comes from an index that lags a little: of jobs submitted in
        the same moment a few too many may pass.  The budget is exact, but that a call repeated
        after a lost reply may count twice.

        Raises:
            InvalidJob: if one job may not cost as much.
            OverQuota: if the client has had its share.
            ServiceBusy: if the ledger cannot tell.
        """
        try:
            return self._charged(client, work)
        except InvalidJob:
            note(Event.OVER_QUOTA, reason="job_too_long")
            raise
        except OverQuota as error:
            note(Event.OVER_QUOTA, reason=error.code)
            raise

    def _charged(self, client: str, work: Work) -> Reservation:
        seconds = charged(work.seconds)
        check_job(self.quota, seconds, size=work.size, remedy=work.remedy)
        if self.quota.unfinished is not None:
            check_unfinished(self.quota, self.jobs.count_unfinished(client))
        if self.quota.day_seconds is None:
            return Reservation()
        now = self.clock.now()
        day = day_of(now)
        if not self.spending.spend(client, day, seconds, budget=self.quota.day_seconds):
            raise over_budget(self.quota, self.spending.spent(client, day), seconds, now)
        return Reservation(lambda: self.spending.give_back(client, day, seconds))
