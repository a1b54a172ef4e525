"""Jobs on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gridwell.client.errors import no_result
from gridwell.program.commands import echo, print_json
from gridwell.terminal import answer_lines, job_line

if TYPE_CHECKING:
    from gridwell.client import Client, Job


def print_job(client: Client, job: Job[Any], *, as_json: bool) -> None:
    """Print a job: its answer if it is done, else how far it is.

    Raises:
        JobFailed: if it has ended otherwise; its JSON is printed before.
    """
    if as_json:
        print_json(job.status.fields)
    elif job.status.done:
        echo(*answer_lines(job.status, url=client.url))
    elif not job.status.ended:
        echo(job_line(job.status))
    if job.status.ended and not job.status.done:
        raise no_result(job.status)
