"""Follow one job to its end: its bar moves, and each change of the fleet is printed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from gridwell.program.commands import echo
from gridwell.terminal.fleet_changes import news, states
from gridwell.terminal.fleet_watch import watching_fleet
from gridwell.terminal.progress_bar import Bar, bar_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.client import Client, FleetStatus, Job, JobStatus


def follow(client: Client, job: Job[Any], *, timeout: float | None = None) -> Any:
    """Return what a job found, once it is done; show its progress on stderr until then.

    Args:
        client: of the service.
        job: one of its jobs.
        timeout: seconds; None waits for as long as it takes.

    Raises:
        JobFailed: if the service gave it up.
        JobTimeout: if it still runs.
    """
    with bar_on(Console(stderr=True)) as bar:
        fleet = _FleetNews(bar)

        def show(status: JobStatus) -> None:
            bar.show(status, fleet.running)

        with watching_fleet(client.fleet, fleet.show), told_of_interruption(job):
            return job.wait(timeout, show)


@contextmanager
def told_of_interruption(job: Job[Any]) -> Iterator[None]:
    """Say that the job goes on, if the block is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        echo(
            f"job {job.id} goes on: `gridwell watch {job.id}` follows it, "
            f"`gridwell cancel {job.id}` ends it",
            err=True,
        )
        raise


class _FleetNews:
    """Prints what changes in the fleet above a bar: a job that waits for a boot makes no step.

    Attributes:
        running: how many instances run; None if that is not known.
    """

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._states: dict[str, str] = {}
        self.running: int | None = None

    def show(self, fleet: FleetStatus) -> None:
        """Print what has changed since the last look."""
        after = states(fleet)
        for line in news(self._states, after):
            self._bar.say(line)
        self._states, self.running = after, fleet.running
