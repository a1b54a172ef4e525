"""Jobs and their answers as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridwell.client.status import JobStatus


def answer_lines(status: JobStatus, *, url: str, seconds: float | None = None) -> list[str]:
    """Return a done job's answer as lines; numbers keep every bit.

    Args:
        status: of a job that is done.
        url: of the service.
        seconds: as the caller measured; without it, from acceptance to end.

    Raises:
        ValueError: if the job is not done.
    """
    if not status.done:
        raise ValueError(f"job {status.id} is {status.state}; only a done job has an answer")
    if seconds is None and status.finished is not None:
        seconds = (status.finished - status.created).total_seconds()
    names = ", ".join(instance_name(worker) for worker in status.workers)
    rows = [
        *status.answer_facts(),
        ("instances", names or "none: the answer was known"),
        ("time", "unknown" if seconds is None else f"{seconds:.2f} s"),
        ("job", status.id),
        ("page", f"{url}{status.links.get('page', '/')}"),
    ]
    return [*(f"{name:<9} {value}" for name, value in rows), *status.further_lines()]


def job_line(status: JobStatus) -> str:
    """Return a job in one line: id, state, what was asked, and progress or answer."""
    if status.done:
        end = status.answer
    elif status.error is not None:
        end = status.error.code
    else:
        end = status.measure.words
    created = status.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{status.id}  {created}  {status.state:<9}  {status.subject}  {end}"


def instance_name(worker: str) -> str:
    """Return the instance's id where the worker's id is an instance's ARN, else the worker's id."""
    return worker.rsplit("/", 1)[-1]
