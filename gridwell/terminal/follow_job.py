"""Following one job to its end: its bar moves, and each change of the fleet is told."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from gridwell.engine.errors import GridwellError
from gridwell.program.commands import echo
from gridwell.terminal.fleet_changes import news, states
from gridwell.terminal.progress_bar import Bar, bar_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.client import Client, Job, JobStatus

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.5  #: between two looks at the fleet


def follow(client: Client, job: Job[Any], *, timeout: float | None = None) -> Any:
    """What a job found, once it is done; until then its progress is shown on stderr.

    Args:
        client: of the service.
        job: one of its jobs.
        timeout: seconds; None waits for as long as it takes.

    Raises:
        JobFailed: if the service gave it up.
        JobTimeout: if it still runs.
    """
    with bar_on(Console(stderr=True)) as bar, _FleetWatch(client, bar).going_on() as fleet:

        def show(status: JobStatus) -> None:
            bar.show(status, fleet.running)

        with told_of_interruption(job):
            return job.wait(timeout, show)


@contextmanager
def told_of_interruption(job: Job[Any]) -> Iterator[None]:
    """Whoever interrupts the waiting in this context is told that the job goes on."""
    try:
        yield
    except KeyboardInterrupt:
        echo(
            f"job {job.id} goes on: `gridwell watch {job.id}` follows it, "
            f"`gridwell cancel {job.id}` ends it",
            err=True,
        )
        raise


class _FleetWatch:
    """Looks at the fleet now and then, in a thread: a job that waits for a boot makes no step.

    Attributes:
        running: how many instances run; None if that is not known.
    """

    def __init__(self, client: Client, bar: Bar) -> None:
        self._client = client
        self._bar = bar
        self._states: dict[str, str] = {}
        self._ended = threading.Event()
        self.running: int | None = None

    @contextmanager
    def going_on(self) -> Iterator[_FleetWatch]:
        """Look until the end of the block."""
        self._look()
        thread = threading.Thread(target=self._run, name="fleet-watch", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join(_LOOK_SECONDS)  # one that waits for the service ends with the process

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        """Tell what changed."""
        try:
            fleet = self._client.fleet()
        except GridwellError as error:
            # The job may go on all the same: its own reading tells if the service is away.
            logger.debug("no fleet to show: %s", error, extra={"action": "show.no_fleet"})
            return
        after = states(fleet)
        for line in news(self._states, after):
            self._bar.say(line)
        self._states, self.running = after, fleet.running
