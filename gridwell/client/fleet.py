"""The fleet as the interface showed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gridwell.client.status import decoded, moment
from gridwell.fleet.model import InstanceState

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """An EC2 instance of the fleet."""

    id: str
    state: str  #: in EC2's own words
    slot: int | None
    since: datetime | None  #: when it was last started
    busy: int | None  #: chunks in hand, as its worker last said
    chunks: int | None  #: chunks finished


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """One look at the fleet, as the autoscaler last wrote it."""

    at: datetime | None  #: when it did; None: it has not yet
    instances: tuple[InstanceStatus, ...]
    visible: int | None  #: chunks waiting in the queue
    in_flight: int | None  #: chunks that workers hold
    cap: int | None
    paused: bool
    decisions: tuple[dict[str, Any], ...]  #: the latest first, as the service words them

    @property
    def running(self) -> int:
        """Number of running instances."""
        return sum(instance.state == InstanceState.RUNNING for instance in self.instances)

    @classmethod
    def decode(cls, fields: Any) -> FleetStatus:
        """The status in the fleet's JSON.

        Raises:
            InvalidMessage: if it is no fleet.
        """
        return decoded("a fleet", lambda: _status(fields))


def _status(fields: dict[str, Any]) -> FleetStatus:
    return FleetStatus(
        at=moment(fields["at"]),
        instances=tuple(
            InstanceStatus(
                id=str(item["id"]),
                state=str(item["state"]),
                slot=item["slot"],
                since=moment(item["since"]),
                busy=item["busy"],
                chunks=item["chunks"],
            )
            for item in fields["instances"]
        ),
        visible=fields["queue"]["visible"],
        in_flight=fields["queue"]["in_flight"],
        cap=fields["cap"],
        paused=bool(fields["paused"]),
        decisions=tuple(dict(decision) for decision in fields["decisions"]),
    )
