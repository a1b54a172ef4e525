"""The fleet as all tiers see it: instances, slots, heartbeats, the operator's switch, the view."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gridwell.engine.ports import Depth
from gridwell.fleet.billing import Bill
from gridwell.fleet.history import History
from gridwell.fleet.refusal import UNFIT, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

STALE_SECONDS: Final = 60.0  #: an older view means that nobody looks after the fleet


class InstanceState(enum.StrEnum):
    """EC2's own states of an instance."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"

    @property
    def is_on(self) -> bool:
        """True if the instance is billed and may work: pending or running."""
        return self in ON


ON: Final = (InstanceState.PENDING, InstanceState.RUNNING)


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
    reason: str = ""  #: the code of EC2's StateReason, where there is one
    reason_message: str = ""  #: its words
    type: str = ""
    subnet: str = ""
    #: When the autoscaler that looks first saw this `launched`, by its own clock; None: it does not
    #: observe, and `launched` is compared as it is.
    observed_at: float | None = None

    @property
    def offer(self) -> Offering:
        """The type and subnet for which EC2 needs capacity to start it again."""
        return Offering(type=self.type, subnet=self.subnet)


@dataclass(frozen=True, slots=True)
class Offering:
    """A type of machine in a subnet, and so in a zone: what EC2 has room for, or has not."""

    type: str = ""  #: empty: the launch template's
    subnet: str = ""  #: empty: the launch template's, or one that EC2 chooses

    def __str__(self) -> str:
        """Return the offer for people."""
        place = f" in {self.subnet}" if self.subnet else ""
        return f"{self.type or 'the launch template'}{place}"

    @property
    def name(self) -> str:
        """The offer as the ledger keeps it."""
        return f"{self.type}@{self.subnet}"

    @classmethod
    def named(cls, name: str) -> Offering:
        """Return the offer that `name` gave."""
        kind, _, subnet = name.partition("@")
        return cls(type=kind, subnet=subnet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Record of one of the N places in the ledger: the intent, written before the call."""

    number: int
    epoch: int = 0  #: launches tried in this place; each has a token of its own
    token: str | None = None
    instance: str | None = None  #: the instance that answered the token
    started_at: float | None = None  #: when we last launched or started it
    stopped_since: float | None = None  #: when we first saw it stopped
    failures: int = 0  #: starts and launches in a row that did not succeed
    not_before: float = 0.0  #: no further try before this
    stopping_since: float | None = None  #: when we first saw it stopping
    leaving_since: float | None = None  #: when we first saw it shutting down
    offer: Offering | None = None  #: what its last launch asked for: the same token asks the same
    refusals: tuple[
        tuple[Offering, float], ...
    ] = ()  #: offers without capacity, and when it was said
    unproven: bool = (
        False  #: it was started, and has come neither to a heartbeat nor to nothing yet
    )
    release: str | None = None  #: that it was last started with
    failed_boots: int = 0  #: boots of this release in a row that came to no heartbeat
    failed_at: float | None = None  #: when the last of them was seen
    proven_at: float | None = None  #: when a boot of this release last came to a heartbeat
    condemned: str | None = None  #: the instance that is to be terminated, never started again
    fence: int = 0  #: of the lease under which it was last written
    unreadable: str = ""  #: why the stored row cannot be read: the rest is what could be
    #: The mark of the last heartbeat before the last start: one with another mark is of the boot
    #: since.  Empty: there was none; None: it is not known, as with older releases.
    heard: str | None = None


#: Every moment in a slot, by what a reader on another clock makes of it
#: (`autoscaler.observed_ports`). Moments that have passed, and a wrong one of which only costs
#: time or a stopped machine.
PAST_TIMES: Final = ("failed_at", "proven_at", "stopped_since")
#: Moments from which patience is counted: too little of it would stop what works, or pass the cap.
PATIENCE_TIMES: Final = ("started_at", "stopping_since", "leaving_since")
#: Moments that are to come.
FUTURE_TIMES: Final = ("not_before",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to change the fleet: who holds it, and for how long.

    Others take it when they have seen it unchanged for `seconds`, by their own monotonic clocks.
    """

    owner: str  #: one run of an autoscaler
    fence: int  #: grows with each new holder: what an earlier one writes later is refused
    expires: float  #: by the holder's clock: for the holder alone, and 0 once it is given back
    renewal: int = 0  #: grows with each write, so that each renewal is a change to be seen
    seconds: float | None = None  #: None: an older release wrote it, and did not note it
    unreadable: bool = False  #: the stored row cannot be read: the rest is what could be

    @property
    def is_given_back(self) -> bool:
        """Return whether its holder ended well: it may be taken at once."""
        return self.expires == 0.0


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
    run: str = ""  #: of the worker's process: drawn when it starts
    count: int = 0  #: of this run's heartbeats: no two are equal, however the clock is set
    skew: float | None = None  #: seconds by which its machine's wall clock is ahead; None: unknown
    unreadable: str = ""  #: why the stored row cannot be read, and its digest: a change is a change
    unfit: str = ""  #: why its machine must compute no more; empty: it may

    @property
    def mark(self) -> str:
        """A short text that no other heartbeat of this machine has, before or after."""
        told = (self.at, self.chunks, self.busy, self.unreadable)
        words = repr((self.run, self.count) if self.run else told)
        return hashlib.sha256(words.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The operator's switch: read at every tick, stronger than the policy."""

    cap: int | None = None  #: at most this many instances, where given
    paused: bool = False  #: nothing is started or launched
    unreadable: tuple[str, ...] = ()  #: its fields that cannot be read


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
    stop: int = 0


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
    held: str = ""  #: why instances that are wanted cannot be had now; empty: none are missing
    owner: str = ""  #: of the lease: the autoscaler that wrote this
    refusals: tuple[Refusal, ...] = ()  #: what EC2 would not do, and has not done since
    history: History = field(default_factory=History)  #: of the last hour
    bill: Bill = field(default_factory=Bill)  #: since the first view

    @property
    def unfit(self) -> tuple[Refusal, ...]:
        """Machines that were not fit to work lately, and why."""
        return tuple(one for one in self.refusals if one.action == UNFIT)

    def is_stale(self, now: float) -> bool:
        """Return whether no autoscaler has written it for too long: it writes every ten seconds.

        A view dated far in the future is stale too.
        """
        return abs(now - self.at) > STALE_SECONDS

    def encode(self) -> str:
        """Return the view as JSON text."""
        # The hour's samples one by one would be taken apart first, and be thousands of objects.
        plain = dataclasses.asdict(dataclasses.replace(self, history=History(), bill=Bill()))
        compact = {"history": self.history.encode(), "bill": self.bill.encode()}
        return json.dumps(plain | compact, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> FleetView:
        """Return the view that `encode` gave."""
        fields: dict[str, Any] = json.loads(text)
        return cls(
            at=fields["at"],
            instances=tuple(InstanceView(**item) for item in fields["instances"]),
            queue=Depth(**fields["queue"]),
            cap=fields["cap"],
            paused=fields["paused"],
            decisions=tuple(Decision(**item) for item in fields["decisions"]),
            arrived_at=fields.get("arrived_at"),
            held=fields.get("held", ""),
            owner=fields.get("owner", ""),
            # What only tells of the past must not hide the present.
            refusals=_or_none(lambda: tuple(Refusal(**one) for one in fields["refusals"])) or (),
            history=_or_none(lambda: History.decode(fields["history"])) or History(),
            bill=_or_none(lambda: Bill.decode(fields["bill"])) or Bill(),
        )


def _or_none(decode: Callable[[], _T]) -> _T | None:
    """Return a part of a view, or None where it is missing or cannot be read."""
    try:
        return decode()
    except (AttributeError, KeyError, TypeError, ValueError, zlib.error):
        return None
