"""How a command ends when something goes wrong: words on stderr, and a status for scripts."""

from __future__ import annotations

import enum

from gridwell.client.errors import JobFailed, JobTimeout, KeyRefused, NoSuchJob
from gridwell.engine.errors import (
    GridwellError,
    InvalidJob,
    InvalidMessage,
    ServiceError,
    WrongState,
)
from gridwell.program.commands import echo_error


class ExitStatus(enum.IntEnum):
    """The exit statuses of `gridwell`."""

    DONE = 0
    FAILED = 1  #: the job failed, or an answer is wrong
    USAGE = 2  #: what was asked cannot be done
    UNREACHABLE = 3  #: the service does not answer as it should
    TIMEOUT = 4
    INTERRUPTED = 130


#: The first that fits counts.
_STATUS: tuple[tuple[type[GridwellError], ExitStatus], ...] = (
    (JobFailed, ExitStatus.FAILED),
    (JobTimeout, ExitStatus.TIMEOUT),
    (InvalidJob, ExitStatus.USAGE),
    (KeyRefused, ExitStatus.USAGE),
    (NoSuchJob, ExitStatus.USAGE),
    (InvalidMessage, ExitStatus.UNREACHABLE),
    (WrongState, ExitStatus.FAILED),
    (ServiceError, ExitStatus.UNREACHABLE),
)


def tell(error: GridwellError) -> ExitStatus:
    """Say on stderr what went wrong, and give the status to exit with."""
    if isinstance(error, InvalidJob):
        lines = [f"{fault.pointer or 'the request'}: {fault.detail}" for fault in error.faults]
    else:
        lines = [str(error)]
    for line in lines:
        echo_error(line)
    return next((status for kind, status in _STATUS if isinstance(error, kind)), ExitStatus.FAILED)
