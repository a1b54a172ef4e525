"""Data of a decision: the snapshot, the policy and the plan."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.ports import Depth
from gridwell.fleet.model import Control, Instance, Offering, Slot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.engine.task_failure import Suspect
    from gridwell.fleet.model import Heartbeat
    from gridwell.fleet.refusal import Refusal


class Rule(enum.StrEnum):
    """Rules for the number of instances and for giving up stopped ones."""

    DEFAULT = "default"  #: see `autoscaler.decide.backlog_rule`
    CLASSIC = "classic"  #: see `autoscaler.decide.classic_rule`


class Read(enum.StrEnum):
    """Reads that make up a snapshot; a failed one is in `Snapshot.unknown`."""

    INSTANCES = "instances"
    RELEASE = "release"
    DEPTH = "depth"
    SLOTS = "slots"
    CONTROL = "control"
    HEARTBEATS = "heartbeats"


_EMPTY: Final = Depth(visible=0, in_flight=0)
_UNTOUCHED: Final = Control()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at the world.  Everything `decide` may know is in here, the time too."""

    taken_at: float  #: seconds since 1970
    depth: Depth = _EMPTY  #: of the queue of chunks
    instances: tuple[Instance, ...] = ()  #: the terminated ones that EC2 still shows too
    release: str | None = None  #: what a launch would run; None: there is no image to launch
    slots: tuple[Slot, ...] = ()  #: what the ledger remembers, brought up to date by `remember`
    control: Control = _UNTOUCHED
    heartbeats: Mapping[str, Heartbeat] = field(default_factory=dict)  #: the last ones, by ARN
    suspects: Mapping[str, Suspect] = field(default_factory=dict)  #: workers proved wrong, by ARN
    arrived_at: float | None = None  #: when chunks were last seen to arrive; None: never
    unknown: frozenset[str] = frozenset()  #: reads that failed: never terminate on these
    refusals: tuple[Refusal, ...] = ()  #: what EC2 would not do, see `autoscaler.decide.failures`


_ANY: Final = (Offering(),)
_LEAST: Final = {
    "max_instances": 1,
    "chunks_per_instance": 1,
    "boot_grace_seconds": 0,
    "heartbeat_seconds": 0,
    "intent_seconds": 0,
    "lag_seconds": 0,
    "delay_seconds": 0,
    "stopped_max_age_seconds": 0,
    "terminate_per_tick": 0,
    "quiet_seconds": 0,
    "stop_per_tick": 0,
    "force_stop_seconds": 0,
    "quarantine_boots": 1,
    "capacity_retry_seconds": 0,
    "refused_starts": 1,
    "full_zone_seconds": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The operator's limits.

    Raises:
        ValueError: naming every value that is too small.
    """

    rule: Rule = Rule.DEFAULT
    max_instances: int = 19  #: the cap on all that is not terminated, stopped ones too
    chunks_per_instance: int = 4  #: more chunks than this, waiting or leased, want one more
    boot_grace_seconds: float = 180.0  #: so long an instance counts without a sign of life
    heartbeat_seconds: float = 60.0  #: an idle worker beats between long polls, 20 s apart
    intent_seconds: float = 300.0  #: so long a launch counts whose instance is not seen
    lag_seconds: float = 60.0  #: how late EC2 may show an instance
    delay_seconds: float = 150.0  #: how late a call, with its retries, may reach EC2
    stopped_max_age_seconds: float = 24 * 3600.0  #: the default rule gives up older stopped ones
    terminate_per_tick: int = 2  #: a mistake must not take the fleet at once
    quiet_seconds: float = 120.0  #: the classic rule's T
    stop_per_tick: int = 2  #: the same for instances that are of no use
    force_stop_seconds: float = 600.0  #: so long a shutdown may last
    quarantine_boots: int = 3  #: so many boots in a row without a heartbeat end an instance
    capacity_retry_seconds: float = 60.0  #: until a refused offer is tried for want of another
    offers: tuple[Offering, ...] = _ANY  #: what to ask EC2 for, the best first
    refused_starts: int = 3  #: so many in a row, and a machine may have to give up its place
    full_zone_seconds: float = 300.0  #: the same for want of room, where no other offer is known

    def __post_init__(self) -> None:
        small = [
            f"{name} is {getattr(self, name)}, it must be at least {least}"
            for name, least in _LEAST.items()
            if getattr(self, name) < least
        ]
        if not self.offers:
            small.append("offers is empty, there must be one at least")
        if small:
            raise ValueError("; ".join(small))

    @property
    def ask_seconds(self) -> float:
        """For so long a launch of unknown fate is asked again with the same token.

        An instance made by the last such call is shown before its intent ends, even if the call
        was long on its way and another autoscaler has taken over meanwhile.
        """
        return max(0.0, self.intent_seconds - self.lag_seconds - self.delay_seconds)

    @classmethod
    def classic(cls, **limits: Any) -> Policy:
        """Return a policy with the classic rule, on the same safe counts.

        Args:
            **limits: fields of the policy.
        """
        return cls(rule=Rule.CLASSIC, **limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A stopped instance to start, and the slot that it takes."""

    instance: str
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """An instance to stop that is of no use any more."""

    instance: str
    force: bool = False  #: it hangs in its shutdown
    terminate: bool = False  #: EC2 would not stop it
    suspect: bool = False  #: a report of its worker was proved wrong, and it goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """Actions for a snapshot, with the reason."""

    reason: str  #: in words, with the arithmetic
    want: int = 0  #: instances that should be at work
    short: int = 0  #: how many of them are neither at work nor on their way
    start: tuple[Start, ...] = ()
    spare: tuple[Start, ...] = ()  #: tried in their order when one of `start` cannot start
    launch: tuple[int, ...] = ()  #: slots
    terminate: tuple[str, ...] = ()  #: ids of stopped instances
    stop: tuple[Stop, ...] = ()
    reserve: tuple[int, ...] = ()  #: slots to launch in for starts that EC2 refuses
    stand_in: bool = False  #: launch in them for throttled starts too: they last
    offers: tuple[Offering, ...] = _ANY  #: to launch by, the best first
    held: str = ""  #: why some that are wanted cannot be had now; empty: none are missing
    uncounted: tuple[
        str, ...
    ] = ()  #: instances left out of the cap, see `autoscaler.decide.unusable`

    @property
    def is_empty(self) -> bool:
        """True if there is nothing to do."""
        return not (self.start or self.launch or self.terminate or self.stop)
