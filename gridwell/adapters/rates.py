"""Rate limits counted in memcached, so that all processes count together.

While memcached is away each process counts for itself: with N processes a caller may then have up
to N times its share, and what was counted before is forgotten.  Nobody is refused for it.
"""

from __future__ import annotations

import logging
import math
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from limits import RateLimitItem, parse
from limits.storage import MemcachedStorage, MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pymemcache.client.base import PooledClient
from pymemcache.exceptions import MemcacheError, MemcacheIllegalInputError

from gridwell.adapters.clock import SystemClock
from gridwell.adapters.memcached import AWAY_SECONDS, CONNECT_SECONDS, REPLY_SECONDS
from gridwell.adapters.outage import Outage
from gridwell.domain.ports import Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.domain.ports import Clock

logger = logging.getLogger(__name__)

#: No answer, or one that is none: what listens there need not be a memcached.
_OUTAGES: Final = (OSError, MemcacheError, LookupError, ValueError)
_item: Final = lru_cache(maxsize=64)(parse)


class CountedRates:
    """Keeps the promises of `gridwell.domain.ports.Rates` in the memory of this process.

    Windows slide by the counter of two of them: about as fair as keeping the time of each call,
    for two numbers a caller.  Their time is the machine's own.
    """

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def take(self, rate: str, kind: str, who: str) -> Standing:
        """See `gridwell.domain.ports.Rates`."""
        return _taken(self._limiter, _item(rate), kind, who)

    def look(self, rate: str, kind: str, who: str) -> Standing:
        """See `gridwell.domain.ports.Rates`."""
        return _seen(self._limiter, _item(rate), kind, who)


class MemcachedRates:
    """Keeps the promises of `gridwell.domain.ports.Rates`.  Safe to share between threads.

    Args:
        address: of memcached, as ``host:port``.
        clock: measures how long memcached has been away.
    """

    def __init__(self, address: str, *, clock: Clock | None = None) -> None:
        host, _, port = address.rpartition(":")
        self._client = PooledClient(
            (host.strip("[]"), int(port)),
            connect_timeout=CONNECT_SECONDS,
            timeout=REPLY_SECONDS,
            no_delay=True,
        )
        # One pool for all threads: the library would keep a connection for each of them.
        storage = MemcachedStorage(
            f"memcached://{address}", client_getter=lambda *_, **__: self._client
        )
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._own = CountedRates()
        self._outage = Outage(SystemClock() if clock is None else clock, seconds=AWAY_SECONDS)

    def take(self, rate: str, kind: str, who: str) -> Standing:
        """See `gridwell.domain.ports.Rates`."""
        shared = self._ask(lambda: _taken(self._shared, _item(rate), kind, who))
        return self._own.take(rate, kind, who) if shared is None else shared

    def look(self, rate: str, kind: str, who: str) -> Standing:
        """See `gridwell.domain.ports.Rates`."""
        shared = self._ask(lambda: _seen(self._shared, _item(rate), kind, who))
        return self._own.look(rate, kind, who) if shared is None else shared

    def close(self) -> None:
        """Close the connections; they open again at the next call."""
        self._client.close()

    def _ask(self, call: Callable[[], Standing]) -> Standing | None:
        """What the call returns, or None while memcached is away."""
        if not self._outage.may_ask():
            return None
        try:
            standing = call()
        except MemcacheIllegalInputError:
            raise  # a name that makes no key is a mistake of ours
        except _OUTAGES as error:
            if self._outage.note_failure():
                logger.warning(
                    "memcached does not count (%r): this process counts rates for itself",
                    error,
                    extra={"action": "rates.away"},
                )
            return None
        if self._outage.note_answer():
            logger.info("memcached counts rates again", extra={"action": "rates.back"})
        return standing


def _taken(limiter: Any, item: RateLimitItem, kind: str, who: str) -> Standing:
    within: bool = limiter.hit(item, kind, who)
    return _standing(item, within, limiter.get_window_stats(item, kind, who))


def _seen(limiter: Any, item: RateLimitItem, kind: str, who: str) -> Standing:
    within: bool = limiter.test(item, kind, who)
    return _standing(item, within, limiter.get_window_stats(item, kind, who))


def _standing(item: RateLimitItem, within: bool, stats: Any) -> Standing:  # noqa: FBT001 - one of two facts
    reset = max(1, math.ceil(stats.reset_time - time.time()))
    # Others may have used up what this call found.
    return Standing(
        limit=item.amount,
        window=item.get_expiry(),
        within=within,
        remaining=max(0, stats.remaining),
        reset=reset,
    )
