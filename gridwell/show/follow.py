"""Following one job to its end: its bar moves, and each change of the fleet is told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rich.console import Console

from gridwell.domain.errors import ServiceError
from gridwell.show.bar import Bar, bar_on
from gridwell.show.fleet_news import news, states

if TYPE_CHECKING:
    from gridwell.client import Client, Job, JobStatus, Result

logger = logging.getLogger(__name__)


def follow(client: Client, job: Job, *, timeout: float | None = None) -> Result:
    """What a job found, once it is done; until then its progress is shown on stderr.

    Args:
        client: of the service.
        job: one of its jobs.
        timeout: seconds; None waits for as long as it takes.

    Raises:
        JobFailed: if the service gave it up.
        JobTimeout: if it still runs.
    """
    with bar_on(Console(stderr=True)) as bar:
        return job.wait(timeout, _Follower(client, bar).look)


class _Follower:
    """Looks at the fleet whenever the job was looked at."""

    def __init__(self, client: Client, bar: Bar) -> None:
        self._client = client
        self._bar = bar
        self._states: dict[str, str] = {}
        self._running: int | None = None

    def look(self, status: JobStatus) -> None:
        """Tell what changed."""
        try:
            fleet = self._client.fleet()
        except ServiceError as error:
            # The job may go on all the same: its own reading tells if the service is away.
            logger.debug("no fleet to show: %s", error, extra={"action": "show.no_fleet"})
        else:
            after = states(fleet)
            for line in news(self._states, after):
                self._bar.say(line)
            self._states, self._running = after, fleet.running
        self._bar.show(status, self._running)
