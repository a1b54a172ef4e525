"""Rate limits counted in memcached, so that all processes count together.

While memcached is away each process counts for itself: with N processes a caller may then have up
to N times its share, and what was counted before is forgotten.  Nobody is refused for it.
"""

from __future__ import annotations

import math
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from limits import RateLimitItem, parse
from limits.storage import MemcachedStorage, MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from gridwell.access.ports import ClientUsage
from gridwell.adapters.memcached.connection import Connection

if TYPE_CHECKING:
    from gridwell.engine.ports import Clock

_item: Final = lru_cache(maxsize=64)(parse)


class CountedRates:
    """Keeps the promises of `gridwell.access.ports.Rates` in the memory of this process.

    Windows slide by the counter of two of them: about as fair as keeping the time of each call,
    for two numbers a caller.  Their time is the machine's own.
    """

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def take(self, rate: str, kind: str, who: str, cost: int = 1) -> ClientUsage:
        """See `gridwell.access.ports.Rates`."""
        return _taken(self._limiter, _item(rate), kind, who, cost)

    def look(self, rate: str, kind: str, who: str) -> ClientUsage:
        """See `gridwell.access.ports.Rates`."""
        return _seen(self._limiter, _item(rate), kind, who)


class MemcachedRates:
    """Keeps the promises of `gridwell.access.ports.Rates`.  Safe to share between threads.

    Args:
        address: of memcached, as ``host:port`` or the absolute path of a socket file.
        clock: measures how long memcached has been away.
        stack: names whose counts these are, where several stacks share a memcached.
    """

    def __init__(self, address: str, *, clock: Clock | None = None, stack: str = "") -> None:
        self._prefix = f"{stack}:" if stack else ""
        self._reach = Connection(address, clock=clock)
        # One pool for all threads: the library would keep a connection for each of them.
        storage = MemcachedStorage(
            f"memcached://{quote(address, safe='/:[]')}",
            client_getter=lambda *_, **__: self._reach.client,
        )
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._own = CountedRates()

    def take(self, rate: str, kind: str, who: str, cost: int = 1) -> ClientUsage:
        """See `gridwell.access.ports.Rates`."""
        shared = self._reach.ask(
            lambda: _taken(self._shared, _item(rate), self._prefix + kind, who, cost)
        )
        return self._own.take(rate, kind, who, cost) if shared is None else shared

    def look(self, rate: str, kind: str, who: str) -> ClientUsage:
        """See `gridwell.access.ports.Rates`."""
        shared = self._reach.ask(lambda: _seen(self._shared, _item(rate), self._prefix + kind, who))
        return self._own.look(rate, kind, who) if shared is None else shared

    def close(self) -> None:
        """Close the connections; they open again at the next call."""
        self._reach.close()


def _taken(limiter: Any, item: RateLimitItem, kind: str, who: str, cost: int) -> ClientUsage:
    within: bool = limiter.hit(item, kind, who, cost=min(cost, item.amount))
    return _standing(item, within, limiter.get_window_stats(item, kind, who))


def _seen(limiter: Any, item: RateLimitItem, kind: str, who: str) -> ClientUsage:
    within: bool = limiter.test(item, kind, who)
    return _standing(item, within, limiter.get_window_stats(item, kind, who))


def _standing(item: RateLimitItem, within: bool, stats: Any) -> ClientUsage:  # noqa: FBT001 - one of two facts
    reset = max(1, math.ceil(stats.reset_time - time.time()))
    # Others may have used up what this call found.
    return ClientUsage(
        limit=item.amount,
        window=item.get_expiry(),
        within=within,
        remaining=max(0, stats.remaining),
        reset=reset,
    )
