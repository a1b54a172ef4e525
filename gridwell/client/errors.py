"""Errors that only a client of the service can meet, beside those of `gridwell.engine.errors`.

* GridwellError
  x JobFailed           the service gave the job up, and says why
    + JobCancelled      it was cancelled; submit it again to compute it
  x JobTimeout          the job still runs; wait longer, or read it later
  x NoSuchJob           no job of that id, or it has expired; submit it again
  x InvalidMessage      the answer is not one of this interface: look at the URL
  x ServiceError        the service could not do what it should
    + WrongState        the job is not in a state that allows it, such as done before a cancel
    + ServiceBusy       it asks to try again later
      - Unreachable     nothing answers at the URL
    + ServiceDenied     it does not let us
      - KeyRefused      a key is missing, wrong, expired, or does not allow this
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.engine.errors import GridwellError, ServiceBusy, ServiceDenied
from gridwell.engine.job import JobState

if TYPE_CHECKING:
    from gridwell.client.status import JobStatus


class JobFailed(GridwellError):  # noqa: N818 - see InvalidJob
    """The service gave the job up."""

    def __init__(self, status: JobStatus) -> None:
        self.status = status
        self.code = "unknown" if status.error is None else status.error.code
        reason = "no reason given" if status.error is None else status.error.detail
        super().__init__(f"job {status.id} is {status.state} ({self.code}): {reason}")


class JobCancelled(JobFailed):
    """The job was cancelled."""

    def __init__(self, status: JobStatus) -> None:
        super().__init__(status)
        self.args = (f"job {status.id} was cancelled; submit it again to compute it",)


def no_result(status: JobStatus) -> JobFailed:
    """Return the error of a job that ended without a result."""
    cancelled = status.state == JobState.CANCELLED
    return JobCancelled(status) if cancelled else JobFailed(status)


class JobTimeout(GridwellError):  # noqa: N818 - see InvalidJob
    """The job did not end within the time that the caller was ready to wait; it still runs."""

    def __init__(self, status: JobStatus, seconds: float) -> None:
        self.status = status
        super().__init__(
            f"job {status.id} is {status.state} after {seconds:g} s, at {status.measure.words}; "
            "it goes on, so wait longer or read it later"
        )


class NoSuchJob(GridwellError):  # noqa: N818 - see InvalidJob
    """There is no job of that id, or what was asked of it is no longer kept."""


class Unreachable(ServiceBusy):
    """Nothing answers at the service's URL."""


class KeyRefused(ServiceDenied):
    """The service asks for a key, or for another one."""
