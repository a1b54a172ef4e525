"""Size of the fleet during a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.fleet.model import InstanceState

if TYPE_CHECKING:
    from gridwell.client.fleet import FleetStatus

_ON: Final = (InstanceState.PENDING, InstanceState.RUNNING)  #: pending ones are billed for, too


class LargestFleet:
    """The most instances that were pending or running in any look at the fleet.

    Attributes:
        size: how many; None: the fleet was never seen.
    """

    def __init__(self) -> None:
        self.size: int | None = None

    def see(self, fleet: FleetStatus) -> None:
        """Count the instances of one look."""
        on = sum(instance.state in _ON for instance in fleet.instances)
        self.size = max(self.size or 0, on)
