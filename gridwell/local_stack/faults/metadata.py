"""Faults of the instances' metadata services, which look them up before each response."""

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
    """Selection of the fault that happens at a request for metadata.

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
            HANGS, _target(operation, instance), lambda: self.callers.program(connection)
        )
        return None if strike is None else strike.seconds

    def is_throttled(self, operation: str, instance: str, connection: Any) -> bool:
        """Return True if a request is throttled; see `hang_seconds`."""
        strike = self.injector.strike(
            THROTTLED, _target(operation, instance), lambda: self.callers.program(connection)
        )
        return strike is not None


def _target(operation: str, instance: str) -> FaultTarget:
    (service,) = METADATA
    return FaultTarget(service=service, operation=operation, resources=frozenset({instance}))
