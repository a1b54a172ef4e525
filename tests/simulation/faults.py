"""What can go wrong, how often, and which of it this seed leaves out.

Swarm testing: a seed switches off a random half of the kinds and scales the rest, as faults that
always come together hide each other (a worker that never lives long enough finds no late bug).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

#: Kinds drawn at every call of a port, and how likely each is there.
AT_A_CALL: Final = {
    "busy before": 0.02,  #: the call has no effect
    "reply lost": 0.02,  #: it has, and the caller is told that the service is busy
    "crash before": 0.004,
    "crash after": 0.004,
    "stall": 0.01,  #: the process sleeps before the call, while all others go on
}

#: Kinds drawn where they can happen: by queues, EC2, the cache, computing.
IN_A_SERVICE: Final = {
    "delivered twice": 0.05,
    "reordered": 0.5,
    "delayed": 0.1,
    "delete forgotten": 0.02,
    "batch refused": 0.05,
    "short poll blind": 0.2,
    "count late": 0.7,
    "index late": 0.3,
    "describe late": 0.5,
    "no capacity": 0.2,
    "start falls back": 0.05,
    "boot hangs": 0.08,
    "cache forgets": 0.1,
    "chunk fails": 0.03,
    "chunk hangs": 0.01,
    "chunk is slow": 0.05,
    "result lies": 0.004,
}

#: Kinds that strike from outside: the mean seconds between two of them.
FROM_OUTSIDE: Final = {
    "instance dies": 900.0,
    "instance is terminated": 2000.0,
    "stray SIGTERM": 1200.0,
    "collector killed": 900.0,
    "autoscaler killed": 900.0,
    "cache wiped": 400.0,
    "message lost": 1500.0,
    "new release": 4000.0,
    "paused by the operator": 4000.0,
}

#: Kinds drawn once a seed, and how likely: they are there, or not.
IN_A_SEED: Final = {
    "poison chunk": 0.04,
    "second collector": 0.3,
}

KINDS: Final = (*AT_A_CALL, *IN_A_SERVICE, *FROM_OUTSIDE, *IN_A_SEED)


@dataclass(slots=True)
class Faults:
    """The faults of one seed.

    Attributes:
        rng: where chance comes from.
        rates: how likely each kind is where it can happen, or the mean seconds between two.
        on: whether faults happen at all (any more).
        injected: how often each kind happened.
    """

    rng: random.Random
    rates: dict[str, float]
    on: bool = True
    injected: Counter[str] = field(default_factory=Counter)

    @classmethod
    def draw(cls, rng: random.Random) -> Faults:
        """A seed's faults: a random subset of all kinds, more or less likely."""
        scale = rng.choice((0.3, 1.0, 1.0, 2.0))
        rates = {
            kind: min(0.9, rate * scale)
            for kind, rate in {**AT_A_CALL, **IN_A_SERVICE}.items()
            if rng.random() < 0.5
        }
        rates |= {
            kind: seconds / scale for kind, seconds in FROM_OUTSIDE.items() if rng.random() < 0.5
        }
        rates |= {kind: 1.0 for kind, rate in IN_A_SEED.items() if rng.random() < rate}
        return cls(rng, rates)

    def strike(self, kind: str) -> bool:
        """Whether a fault of this kind happens here and now; it is counted if so."""
        rate = self.rates.get(kind)
        if rate is None or not self.on or self.rng.random() >= rate:
            return False
        self.injected[kind] += 1
        return True
