"""The fleet as all tiers see it: instances, slots, heartbeats, the operator's switch, the view."""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import dataclass
from typing import Any


class InstanceState(enum.StrEnum):
    """EC2's own states of an instance."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An EC2 machine that carries our fleet's tag."""

    id: str
    state: InstanceState
    launched: float  #: LaunchTime: of the last start on EC2, though not everywhere
    slot: int | None  #: which of the N places it takes; None if its tag is missing or strange
    token: str | None  #: of the launch that made it
    release: str | None  #: the sha256 of the wheel that it runs
    arn: str  #: its worker's id
    reason: str = ""  #: EC2's StateReason, where there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What the ledger remembers of one of the N places: the intent, written before the call."""

    number: int
    epoch: int = 0  #: launches tried in this place; each has a token of its own
    token: str | None = None
    instance: str | None = None  #: the instance that answered the token
    started_at: float | None = None  #: when we last launched or started it
    stopped_since: float | None = None  #: when we first saw it stopped
    failures: int = 0  #: starts and launches in a row that did not succeed
    not_before: float = 0.0  #: no further try before this


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A worker's sign of life."""

    worker: str
    at: float
    busy: int  #: chunks in hand
    draining: bool  #: it will take no more work
    chunks: int  #: finished since it started
    seconds: float  #: spent on them
    version: str
    refuses: str = ""  #: what another release wrote and this one cannot do, if it met such lately


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The operator's switch: read at every tick, stronger than the policy."""

    cap: int | None = None  #: at most this many instances, where given
    paused: bool = False  #: nothing is started or launched


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How full a queue says it is.  The counts are approximate and late: a hint, never a proof."""

    visible: int
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """An instance as the web tier shows it."""

    id: str
    state: str
    slot: int | None
    since: float | None  #: when it was last started
    busy: int | None = None  #: chunks in hand, as its worker last said
    chunks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A fleet plan that changed something, and why."""

    at: float
    reason: str
    start: int = 0
    launch: int = 0
    terminate: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """All that the web tier knows of EC2, as the autoscaler last wrote it."""

    at: float
    instances: tuple[InstanceView, ...]
    queue: Depth
    cap: int
    paused: bool = False
    decisions: tuple[Decision, ...] = ()  #: the latest first
    arrived_at: float | None = None  #: when chunks were last seen to arrive in the queue

    def encode(self) -> str:
        """The view as JSON text."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> FleetView:
        """The view that `encode` gave."""
        fields: dict[str, Any] = json.loads(text)
        return cls(
            at=fields["at"],
            instances=tuple(InstanceView(**item) for item in fields["instances"]),
            queue=Depth(**fields["queue"]),
            cap=fields["cap"],
            paused=fields["paused"],
            decisions=tuple(Decision(**item) for item in fields["decisions"]),
            arrived_at=fields.get("arrived_at"),
        )
