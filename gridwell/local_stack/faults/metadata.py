"""Faults of the instances' metadata services: each asks here before it answers a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gridwell.local_stack.faults.kinds import METADATA
from gridwell.local_stack.faults.plan import FaultTarget

if TYPE_CHECKING:
    from gridwell.local_stack.faults.calling_process import Callers
    from gridwell.local_stack.faults.injector import Injector

HANGS: Final = "metadata hangs"
THROTTLED: Final = "metadata throttled"


@dataclass(frozen=True, slots=True)
class MetadataFaults:
    """Planned faults of requests for metadata.

    Args:
        injector: knows the plan.
        callers: knows the programs of the stack.
    """

    injector: Injector
    callers: Callers

    def hang_seconds(self, operation: str, instance: str, connection: Any) -> float | None:
        """Return for how long a request hangs, before its connection closes; None: it is answered.

        Args:
            operation: one of `kinds.METADATA`.
            instance: its id.
            connection: of the request.
        """
        strike = self.injector.strike(
            HANGS, _place(operation, instance), lambda: self.callers.program(connection)
        )
        return None if strike is None else strike.seconds

    def is_throttled(self, operation: str, instance: str, connection: Any) -> bool:
        """Return whether a request is refused as one of too many; see `hang_seconds`."""
        strike = self.injector.strike(
            THROTTLED, _place(operation, instance), lambda: self.callers.program(connection)
        )
        return strike is not None


def _place(operation: str, instance: str) -> FaultTarget:
    (service,) = METADATA
    return FaultTarget(service=service, operation=operation, resources=frozenset({instance}))
