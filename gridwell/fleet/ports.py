"""Ports of the fleet: its ledger and EC2.

See `gridwell.engine.ports` for what any call may raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gridwell.engine.audit import AuditLog
    from gridwell.engine.task_failure import Suspect
    from gridwell.fleet.model import (
        Control,
        FleetView,
        Heartbeat,
        Instance,
        Lease,
        Offering,
        Slot,
    )


class FleetLedger(Protocol):
    """Ledger of the fleet."""

    @property
    def audit(self) -> AuditLog:
        """Record of operators' actions."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Store a worker's sign of life over its last one."""

    def heartbeats(self, workers: Iterable[str]) -> dict[str, Heartbeat]:
        """Return the last heartbeats of workers that ever sent one, by worker."""

    def suspects(self, workers: Iterable[str]) -> dict[str, Suspect]:
        """Return what is kept of those workers whose reports were proved wrong, by worker.

        It is kept for as long as an ended job.
        """

    def slots(self, places: Iterable[int] | None = None) -> tuple[Slot, ...]:
        """Slots that were ever used, by number: all of them, or those in some places."""

    def write_slot(self, slot: Slot, *, seen: Slot) -> bool:
        """Replace a slot if no launch has used it since it was read.

        This stops a leader that slept longer than its lease: a slot that was written under a later
        fence rejects a write under an earlier one.

        Args:
            slot: what it shall be, with the fence of the lease that its writer holds.
            seen: what was read (a slot never used has epoch 0).

        Returns:
            Whether it was written; False: the stored epoch is no longer the one seen, or the
            stored fence is higher.
        """

    def control(self) -> Control:
        """Return the operator's switch."""

    def write_control(self, control: Control) -> None:
        """Set the operator's switch."""

    def view(self) -> FleetView | None:
        """Return the fleet as last written, or None before the first time."""

    def write_view(self, view: FleetView) -> None:
        """Replace the view."""

    def lease(self) -> Lease | None:
        """Return the right to change the fleet as last taken, or None before the first time."""

    def write_lease(self, lease: Lease, *, seen: Lease | None) -> bool:
        """Take, renew or give back the lease, if it is still what was seen.

        Args:
            lease: what it shall be.
            seen: what was read or last written; None: there was none.

        Returns:
            Whether it is now this lease, by this write or by the same one before.
        """


class Ec2(Protocol):
    """The instances that carry our fleet's tag."""

    def instances(self, only: Sequence[str] = ()) -> tuple[Instance, ...]:
        """All of them, the terminated ones that EC2 still shows too; it may lag.

        Args:
            only: ids, where not all are asked for; one that is not ours, or not there, is absent.
        """

    def release(self) -> str | None:
        """Return the release that a launch would run, or None while there is no image to launch."""

    def launch(self, slot: int, token: str, offer: Offering | None = None) -> str:
        """Launch one instance; the same token gives the same instance.

        Args:
            slot: the place that it takes.
            token: of this launch.
            offer: the type and subnet to ask for, where not the launch template's.

        Returns:
            Its id.

        Raises:
            NoCapacity: if EC2 has none for us now.
        """

    def start(self, instance: str) -> None:
        """Start a stopped instance; one that is pending or running already stays so.

        Raises:
            NoCapacity: if EC2 has no room for it now.
            WrongState: if it is stopping, or gone.
        """

    def stop(self, instance: str, *, force: bool = False) -> None:
        """Shut an instance down; one that is stopping or stopped already stays so.

        Args:
            instance: its id.
            force: without waiting for its shutdown, also for one that has been stopping too long.

        Raises:
            WrongState: if it is gone, or cannot be stopped yet.
        """

    def terminate(self, instance: str) -> None:
        """Terminate an instance for good."""
