"""Size of the fleet during a run."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from gridwell.engine.errors import ServiceError
from workload_generator.service import RequestRefused, ServiceClient

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.5  #: the autoscaler looks far less often
ON: Final = frozenset({"pending", "running"})  #: pending ones are billed for, too


class FleetWatch:
    """Looks at the fleet in a thread, from entering the context to leaving it.

    Args:
        service: whom to ask.
        every: seconds between two looks.
    """

    def __init__(self, service: ServiceClient, *, every: float = POLL_SECONDS) -> None:
        self._service = service
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fleet", daemon=True)
        self.largest: int | None = None  #: instances pending or running; None: never seen

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look a last time, and no more."""
        self._over.set()
        if kind is None:
            self._thread.join()

    def _watch(self) -> None:
        told = False
        last = False
        while not last:
            last = self._over.wait(self._every if self.largest is not None or told else 0)
            try:
                self.largest = max(self.largest or 0, instances_on(self._service.fleet()))
            except (RequestRefused, ServiceError) as error:
                if not told:
                    logger.warning(
                        "the fleet cannot be seen: %s", error, extra={"action": "load.fleet_unseen"}
                    )
                told = True


def instances_on(fleet: dict[str, Any]) -> int:
    """Return the number of pending and running instances.

    Args:
        fleet: as the interface shows it.
    """
    return sum(instance["state"] in ON for instance in fleet["instances"])
