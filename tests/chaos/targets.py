"""Where the blows of a run fall."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tests.chaos.plan import Strike

if TYPE_CHECKING:
    from gridwell.local_stack.faults.client import RemoteFaults
    from tests.chaos.load import Load
    from tests.chaos.memcached_proxy import CacheRelay
    from tests.chaos.stack import Stack
    from tests.chaos.timeline import Timeline


@dataclass(slots=True)
class Arena:
    """Where blows fall, and what is still to come of earlier ones.

    Attributes:
        stack: whom they hit.
        load: who waits for answers.
        relay: before memcached.
        faults: of the region.
        timeline: is told of what comes later.
    """

    stack: Stack
    load: Load
    relay: CacheRelay
    faults: RemoteFaults
    timeline: Timeline
    frozen: set[int] = field(default_factory=set)  #: ids of processes that stand still
    region_still: bool = False  #: whoever calls it would stand still, too
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something in a while."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), act))

    def do_due(self) -> None:
        """Do what is due."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()

    @property
    def open(self) -> bool:
        """Whether something is still to come."""
        return bool(self._later)


#: Says what it did, or None where there was nothing to hit.
Blow: TypeAlias = Callable[[Arena, Strike], str | None]
