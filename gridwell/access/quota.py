"""Quota of a client: how much at once, in one job, and in one day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from gridwell.engine.errors import Fault, InvalidJob, OverQuota

DAY_SECONDS: Final = 86_400
RETRY_SECONDS: Final = 5  #: when one of a client's jobs may have ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The limits of each client; None is no limit."""

    unfinished: int | None = None  #: jobs at once
    job_seconds: float | None = None  #: estimated for one job
    day_seconds: float | None = None  #: estimated for all jobs of a day


def charged(seconds: float) -> float:
    """Return what a job of so many estimated seconds is charged: whole milliseconds, never none."""
    return max(0.001, math.ceil(seconds * 1000) / 1000)


def check_job(quota: Quota, seconds: float, *, size: str, remedy: str) -> None:
    """Return if one job may cost as much.

    Args:
        quota: the limits.
        seconds: what it is charged.
        size: of the job, for people, in the plural.
        remedy: what makes it cheaper, for people.

    Raises:
        InvalidJob: if it may not, with the estimate, the limit and the remedy.
    """
    if quota.job_seconds is not None and seconds > quota.job_seconds:
        detail = (
            f"{size} take an estimated {seconds:.1f} s of one core, more than the "
            f"{quota.job_seconds:g} s that one job may; {remedy}"
        )
        raise InvalidJob(Fault("", detail))


def check_unfinished(quota: Quota, unfinished: int) -> None:
    """Return if a client with so many unfinished jobs may have one more.

    Raises:
        OverQuota: if not.
    """
    if quota.unfinished is not None and unfinished >= quota.unfinished:
        raise OverQuota(
            f"{unfinished} of your jobs have not ended, and {quota.unfinished} may be at once; "
            "wait until one has, or cancel one",
            code="too_many_jobs",
            retry_after=RETRY_SECONDS,
        )


def over_budget(quota: Quota, spent: float, seconds: float, now: float) -> OverQuota:
    """Return the error of a client whose budget of the day is spent."""
    return OverQuota(
        f"the job takes an estimated {seconds:.3f} s of one core, and of the "
        f"{quota.day_seconds:g} s that your jobs may take in a day (UTC) {spent:.3f} s are spent; "
        "submit it tomorrow, or ask the operator for more",
        code="budget_spent",
        retry_after=math.ceil(DAY_SECONDS - now % DAY_SECONDS),
    )


def day_of(now: float) -> int:
    """Return the day in UTC, counted from 1970: the one whose budget is spent."""
    return int(now // DAY_SECONDS)
