"""Look at the fleet now and then, in a thread."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import GridwellError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gridwell.client import FleetStatus

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.5  #: between two looks; the autoscaler looks far less often


@contextmanager
def watching_fleet(
    look: Callable[[], FleetStatus], seen: Callable[[FleetStatus], None]
) -> Iterator[None]:
    """Look at the fleet until the end of the block, a first time before it begins.

    A failed look is skipped: the job may go on all the same, and its own calls report an outage.

    Args:
        look: reads the fleet.
        seen: called with each look that succeeded.
    """
    ended = threading.Event()

    def once() -> None:
        try:
            fleet = look()
        except GridwellError as error:
            logger.debug("no fleet to show: %s", error, extra={"action": "show.no_fleet"})
        else:
            seen(fleet)

    def run() -> None:
        while not ended.wait(LOOK_SECONDS):
            once()

    once()
    thread = threading.Thread(target=run, name="fleet-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(LOOK_SECONDS)  # one that waits for the service ends with the process
