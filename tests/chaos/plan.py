"""What strikes, and when: a seed gives the same plan for ever.

The plan is all that a seed can promise: real processes are never twice as fast in the same way,
so that a strike of the same seed meets another moment of the programs each time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One blow."""

    kind: str
    pause: float  #: seconds after the one before
    chance: float  #: in [0, 1): picks one of several targets
    counts: bool  #: whether it kills

    def pick(self, count: int) -> int:
        """One of so many places."""
        return int(self.chance * count)


def draw(
    seed: int,
    *,
    kills: Mapping[str, float],
    others: Mapping[str, int],
    late: Sequence[str] = (),
    count: int,
    pause: float,
) -> list[Strike]:
    """The strikes of a seed, in their order.

    Args:
        seed: all of its chance.
        kills: kinds that kill, with their weights; each comes at least once if there is room.
        others: kinds that do not, and how often each comes.
        late: kinds that come in the last tenth only, as what heals them takes long.
        count: how many kills.
        pause: mean seconds between two strikes.
    """
    rng = random.Random(seed)
    kinds = list(kills)
    rng.shuffle(kinds)
    chosen = kinds[:count]
    chosen += rng.choices(kinds, [kills[kind] for kind in kinds], k=count - len(chosen))
    blows = [(kind, True) for kind in chosen]
    blows += [(kind, False) for kind, times in others.items() for _ in range(times)]
    rng.shuffle(blows)
    last = [blow for blow in blows if blow[0] in late]
    blows = [blow for blow in blows if blow[0] not in late]
    for blow in last:
        blows.insert(rng.randint(len(blows) * 9 // 10, len(blows)), blow)
    return [
        Strike(
            kind=kind,
            pause=rng.expovariate(1 / pause),
            chance=rng.random(),
            counts=counts,
        )
        for kind, counts in blows
    ]
