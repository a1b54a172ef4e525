"""What can go wrong, how often, and which of it a seed leaves out.

**A new kind is one line of this table**, and either one line in `tests.simulation.port` (what it
does to a call of a port) or one in `tests.simulation.killer` (what it does from outside), or a
`strike` where a simulated service can misbehave.

Swarm testing: a seed switches off a random half of the kinds and scales the rest, as faults that
always come together hide each other (a worker that never lives long enough finds no late bug).
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random


class Where(enum.Enum):
    """Where a kind is drawn, and what its rate means."""

    CALL = "at every call of a port: how likely"
    SERVICE = "where a service can misbehave so: how likely"
    OUTSIDE = "from outside: the mean seconds between two"
    SEED = "once a seed: how likely it is there"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    Attributes:
        where: where it is drawn.
        rate: how often, see `Where`.
        after: seconds until what the last one left behind is over; what is promised in bounded
            time is promised from then on.
        always: whether it is the service's nature, which does not end with the faults.
        delays: seconds by which it may delay what is promised in bounded time, for as long as the
            seed lives: it does not end either.
    """

    where: Where
    rate: float
    after: float = 0.0
    always: bool = False
    delays: float = 0.0


_CALL, _SERVICE, _OUTSIDE, _SEED = Where

COUNT_LAG: Final = 60.0  #: how old a queue's counts may be
DESCRIBE_LAG: Final = 50.0  #: how late EC2 may show an instance
SKEW: Final = 600.0  #: by which a machine's clock may be wrong
SERVICE_SKEW: Final = 1.0  #: by which the services' time may be wrong that a machine goes by
LONGEST_BOOT: Final = 90.0
LONGEST_STOP: Final = 90.0
GRACE: Final = 180.0  #: after so long without a sign of life an instance is stopped
#: What decision 0026 names, before a stopped machine gives up its place.
REFUSED_STARTS: Final = 3
FULL_SECONDS: Final = 300.0  #: while all starts are throttled
SILENT_BOOTS: Final = 2  #: of an offer, in a row
STUCK_STOP: Final = 5000.0  #: how long a stop hangs, unless it is forced
FORCED: Final = 600.0  #: when it is
_PAUSES: Final = 70.0  #: the longest pause after failures, and a tick
_RESTARTS: Final = 130.0  #: the longest until a killed program is started again
KEYLESS_CALL: Final = 5.0  #: for how long a call looks for them where the service hangs
KEYLESS: Final = 60.0  #: the longest that a program is without credentials when it starts
_LEASE: Final = 50.0  #: until an autoscaler that finds a dead one's lease takes it, and a tick
_OFF_AND_ON: Final = COUNT_LAG + DESCRIBE_LAG + LONGEST_STOP + LONGEST_BOOT + 30.0
#: Until an unfit machine is seen as such, stopped, terminated and replaced, and the longest pause
#: after a row of them.
_REPLACED: Final = 2 * _OFF_AND_ON + 900.0
_TWO_TRIES: Final = 40.0  #: until EC2 has refused the same twice, and a tick
_UNREADABLE: Final = 330.0  #: until a slot that cannot be read is written anew
_UNANSWERED: Final = 330.0  #: until a launch without an answer is given up
_THROTTLED: Final = 330.0  #: until starts that are throttled are no longer waited for
_SILENT_BOOT: Final = GRACE + DESCRIBE_LAG + LONGEST_STOP + _PAUSES  #: until it has failed
#: Three refused starts with their pauses, a termination, and a launch in its place.
_RENEWED: Final = 60.0 + COUNT_LAG + 2 * DESCRIBE_LAG + LONGEST_STOP + LONGEST_BOOT + 30.0
_FOUR_STARTS: Final = 300.0  #: a worker that crashes so often in this time switches its machine off

KINDS: Final[dict[str, Kind]] = {
    # --- at a call
    "busy before": Kind(_CALL, 0.02, after=_PAUSES),  # without effect
    "reply lost": Kind(_CALL, 0.02, after=_PAUSES),  # with it, and the caller is told "busy"
    "made twice": Kind(_CALL, 0.02),  # botocore tried again beneath the port
    "crash before": Kind(_CALL, 0.004, after=_FOUR_STARTS),
    "crash after": Kind(_CALL, 0.004, after=_FOUR_STARTS),
    "stall": Kind(_CALL, 0.01, after=120.0),  # up to the watchdog's patience
    "machine pauses": Kind(
        _CALL, 0.001, after=GRACE + _OFF_AND_ON
    ),  # its watchdog too: longer than any lease
    "heartbeat lost": Kind(_CALL, 0.2, after=_PAUSES),
    "object not seen": Kind(_CALL, 0.05, after=_PAUSES),  # S3 says "no such key", wrongly
    # --- in a service
    "delivered twice": Kind(_SERVICE, 0.05, always=True),
    "reordered": Kind(_SERVICE, 0.5, always=True),
    "delayed": Kind(_SERVICE, 0.1, after=20.0),
    "delete forgotten": Kind(_SERVICE, 0.02, after=_PAUSES),
    "batch refused": Kind(_SERVICE, 0.05),
    "short poll blind": Kind(_SERVICE, 0.2, always=True),
    "count late": Kind(_SERVICE, 0.7, always=True),
    "index late": Kind(_SERVICE, 0.3, always=True),
    "describe late": Kind(_SERVICE, 0.5, always=True),
    "no capacity": Kind(_SERVICE, 0.2, after=_PAUSES),
    "start falls back": Kind(_SERVICE, 0.05, after=_PAUSES + LONGEST_BOOT),
    "boot hangs": Kind(_SERVICE, 0.08, after=GRACE + _OFF_AND_ON),
    "stop hangs": Kind(_SERVICE, 0.05, after=FORCED + _OFF_AND_ON),
    # A program starts on a machine whose metadata service gives no credentials for a while.
    "metadata throttled": Kind(_SERVICE, 0.1, after=KEYLESS + _PAUSES),
    "metadata hangs": Kind(_SERVICE, 0.1, after=KEYLESS + _PAUSES),
    "start refused for good": Kind(_SERVICE, 0.1, delays=_RENEWED),
    "pending for ever": Kind(_SERVICE, 0.05, after=GRACE + _TWO_TRIES + _OFF_AND_ON),
    "cache forgets": Kind(_SERVICE, 0.1, always=True),
    "chunk fails": Kind(_SERVICE, 0.03, after=_PAUSES),
    "chunk hangs": Kind(_SERVICE, 0.01, after=600.0),
    "chunk is slow": Kind(_SERVICE, 0.05),
    "result lies": Kind(_SERVICE, 0.004),
    # Of the chunk that holds the answer: of any other one a lie changes nothing.
    "true value, wrong point": Kind(_SERVICE, 0.1),
    "no candidate claimed": Kind(_SERVICE, 0.1),
    # Of new machines, for their lives.
    "machine fails": Kind(_SERVICE, 0.1, after=_REPLACED),
    "machine is full": Kind(_SERVICE, 0.1, after=_REPLACED),
    "machine hangs": Kind(_SERVICE, 0.06, after=_REPLACED + 600.0),
    "machine fails slyly": Kind(_SERVICE, 0.04, after=_REPLACED),
    # --- from outside
    "instance dies": Kind(_OUTSIDE, 900.0),
    "instance is terminated": Kind(_OUTSIDE, 2000.0),
    "stray SIGTERM": Kind(_OUTSIDE, 1200.0, after=_FOUR_STARTS),
    "collector killed": Kind(_OUTSIDE, 900.0, after=_RESTARTS),
    "autoscaler killed": Kind(_OUTSIDE, 900.0, after=_RESTARTS + _LEASE),
    "web tier killed": Kind(_OUTSIDE, 900.0, after=_RESTARTS),
    "cache wiped": Kind(_OUTSIDE, 400.0),
    "cache holds junk": Kind(_OUTSIDE, 400.0),
    "message lost": Kind(_OUTSIDE, 1500.0),
    "message comes back": Kind(_OUTSIDE, 300.0),  # deleted long ago
    "junk in a queue": Kind(_OUTSIDE, 2000.0),
    "forged report": Kind(_OUTSIDE, 200.0),  # of a chunk that its sender never received
    "map altered": Kind(_OUTSIDE, 900.0),
    "cache is forged": Kind(_OUTSIDE, 300.0),
    "new release": Kind(_OUTSIDE, 4000.0),
    "broken release": Kind(_OUTSIDE, 4000.0, after=GRACE + 2 * _OFF_AND_ON),
    "clock is set": Kind(_OUTSIDE, 300.0),
    "paused by the operator": Kind(_OUTSIDE, 4000.0, after=130.0),
    "tag lost": Kind(_OUTSIDE, 900.0),  # of an instance's slot
    "row cannot be read": Kind(_OUTSIDE, 1500.0, after=_UNREADABLE),  # of a slot
    "protected": Kind(_OUTSIDE, 900.0, delays=_TWO_TRIES),  # from termination
    "stop refused": Kind(_OUTSIDE, 2500.0, delays=GRACE + 2 * _TWO_TRIES),
    # --- in a seed
    "clocks differ": Kind(_SEED, 0.5, always=True),
    "poison chunk": Kind(_SEED, 0.04, always=True),
    "queue swallows": Kind(_SEED, 0.04, always=True),  # all chunks of one problem
    "access denied": Kind(_SEED, 0.08, always=True),  # those of one problem, maybe for good
    "chunk raises": Kind(_SEED, 0.1, always=True),  # the same error wherever it is computed
    "clients cancel": Kind(_SEED, 0.3, always=True),
    "second collector": Kind(_SEED, 0.3, always=True),
    "second autoscaler": Kind(_SEED, 0.3, always=True),
    "offer refused": Kind(_SEED, 0.07, always=True, delays=_UNANSWERED),
    "offer never speaks": Kind(_SEED, 0.07, always=True, delays=2 * _SILENT_BOOT + _RENEWED),
    "zone is full": Kind(_SEED, 0.07, always=True, delays=_RENEWED),
    "starts are throttled": Kind(_SEED, 0.05, always=True, delays=_THROTTLED + _RENEWED),
}


@dataclass(slots=True)
class Faults:
    """The faults of one seed.

    Attributes:
        rng: where chance comes from.
        rates: the kinds of this seed; how likely each is where it can happen, or the mean seconds
            between two.
        on: whether faults happen at all (any more); those that are a service's nature do.
        injected: how often each kind happened.
    """

    rng: random.Random
    rates: dict[str, float]
    on: bool = True
    injected: Counter[str] = field(default_factory=Counter)

    @classmethod
    def draw(cls, rng: random.Random) -> Faults:
        """A seed's faults: a random subset of all kinds, more or less likely; in some seeds none.

        Seeds without faults are where promises in bounded time are strictest.
        """
        scale = rng.choice((0.0, 0.3, 0.3, 1.0, 1.0, 1.0, 1.0, 2.0))
        rates: dict[str, float] = {}
        if not scale:
            return cls(rng, rates)
        for name, kind in KINDS.items():
            if kind.where is Where.SEED:
                if rng.random() < kind.rate:
                    rates[name] = 1.0
            elif rng.random() < 0.5:
                outside = kind.where is Where.OUTSIDE
                rates[name] = kind.rate / scale if outside else min(0.9, kind.rate * scale)
        return cls(rng, rates)

    @classmethod
    def none(cls, rng: random.Random) -> Faults:
        """No faults at all."""
        return cls(rng, {})

    @classmethod
    def poison(cls, rng: random.Random) -> Faults:
        """None but a chunk that ends whoever computes it."""
        return cls(rng, {"poison chunk": 1.0})

    @property
    def delays(self) -> float:
        """Seconds by which this seed's lasting faults may delay what is promised in time."""
        return sum(KINDS[name].delays for name in self.rates)

    @property
    def settling(self) -> float:
        """Seconds until what this seed's last faults leave behind is over."""
        return max((KINDS[name].after for name in self.rates), default=0.0)

    def strike(self, kind: str) -> bool:
        """Whether a fault of this kind happens here and now; it is counted if so."""
        rate = self.rates.get(kind)
        if rate is None or self.rng.random() >= rate or not (self.on or KINDS[kind].always):
            return False
        self.injected[kind] += 1
        return True

    def has(self, kind: str) -> bool:
        """Whether this seed has a kind that is drawn once a seed; it is counted if so."""
        if kind not in self.rates:
            return False
        self.injected[kind] += 1
        return True
