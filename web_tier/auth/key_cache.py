"""Cache of the ledger's keys, with a bound on reads of the ledger.

Keys that exist and ids that do not are cached apart, so that made-up ids cannot evict a real key.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.lru_cache import LruCache
from web_tier.auth.sessions import Sessions
from web_tier.auth.token_bucket import TokenBucket

if TYPE_CHECKING:
    from gridwell.access.keys import AccessKey, PresentedKey
    from gridwell.access.ports import AccessLedger
    from gridwell.access.session import SessionToken
    from gridwell.engine.ports import Clock

KEPT_SECONDS: Final = 30.0  #: for so long a revoked key may still be accepted
KEPT_KEYS: Final = 10_000  #: cache entries of each kind
EXISTS_SECONDS: Final = 86_400.0  #: for so long a key is known to exist, and its digest with it
LIST_SECONDS: Final = 1.0  #: between two reads of the list of all ids
#: Reads of never-seen ids, for addresses that showed few wrong keys: of all of them together.
UNSEEN_BURST, UNSEEN_PER_SECOND = 200, 10.0
#: The same for the others, of ids that may be younger than the list of all ids.
RESERVE_BURST, RESERVE_PER_SECOND = 16, 1.0


@dataclass(frozen=True, slots=True)
class Lookup:
    """A read of one id: the key, or None, and when it was read."""

    key: AccessKey | None
    at: float


class KeyCache:
    """Cache of keys.  Safe to share between threads.

    Without the ledger no key is accepted for longer than `KEPT_SECONDS`, as it may be revoked.

    Args:
        ledger: holds the keys.
        clock: measures the age of cache entries.
    """

    def __init__(self, ledger: AccessLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._found: LruCache[str, Lookup] = LruCache(KEPT_KEYS)  # keys, for a day
        self._missing: LruCache[str, Lookup] = LruCache(KEPT_KEYS)  # ids without a key
        self._used: dict[str, float] = {}  # of the keys in `_found`: when it was read then
        self._ids: frozenset[str] = frozenset()
        self._list_tried_at = float("-inf")
        self.sessions = Sessions(ledger, clock)
        #: Reads of never-seen ids that this process may make.
        self.unseen = TokenBucket(burst=UNSEEN_BURST, per_second=UNSEEN_PER_SECOND, clock=clock)
        self.reserve = TokenBucket(burst=RESERVE_BURST, per_second=RESERVE_PER_SECOND, clock=clock)
        self._lock = threading.Lock()
        self._listing = threading.Lock()

    def remembered(self, key_id: str) -> Lookup | None:
        """Return the read of an id that is at most `KEPT_SECONDS` old, or None."""
        with self._lock:
            return self._recent(self._found, key_id, KEPT_SECONDS) or self._recent(
                self._missing, key_id, KEPT_SECONDS
            )

    def exists(self, key_id: str) -> bool:
        """Return True if a key of this id was read within the last day."""
        with self._lock:
            return self._recent(self._found, key_id, EXISTS_SECONDS) is not None

    def is_forged(self, presented: PresentedKey | SessionToken) -> bool:
        """Return True if the id is of a known key and the secret is not of that key.

        The digest of a key never changes, so this needs no read.  A caller that knows only an id
        cannot cause one.
        """
        with self._lock:
            known = self._recent(self._found, presented.id, EXISTS_SECONDS)
        return known is not None and known.key is not None and not presented.fits(known.key)

    def is_listed(self, key_id: str) -> bool | None:
        """Return True if an id is in the ledger's list of all ids: one read for any number of ids.

        Returns:
            None if it is unknown: the id is not in the list, and the list is younger than
            `LIST_SECONDS`, so that it is not read again.

        Raises:
            ServiceBusy: if the ledger does not answer.
        """
        with self._listing:  # one read for all who wait here
            if key_id in self._ids:
                return True
            now = self._clock.monotonic()
            if now - self._list_tried_at < LIST_SECONDS:
                return None
            self._list_tried_at = now
            self._ids = self._ledger.key_ids()
            return key_id in self._ids

    def is_first_use(self, key_id: str) -> bool:
        """Return True at the first call after each read of the key: once in `KEPT_SECONDS`."""
        with self._lock:
            found = self._found.peek(key_id)
            if found is None or found.at == self._used.get(key_id):
                return False
            self._used[key_id] = found.at
            return True

    def current(self, key_id: str) -> AccessKey | None:
        """Return the key of an id that exists, as of `KEPT_SECONDS` ago at most.

        Raises:
            ServiceBusy: if the ledger does not answer.
        """
        return (self.remembered(key_id) or self.look_up(key_id)).key

    def look_up(self, key_id: str) -> Lookup:
        """Read the key of an id.

        Raises:
            ServiceBusy: if the ledger does not answer.
        """
        at = self._clock.monotonic()  # before the read, so that no revocation is seen too late
        lookup = Lookup(self._ledger.key(key_id), at)
        with self._lock:
            cache = self._missing if lookup.key is None else self._found
            if lookup.key is None:
                self._found.drop(key_id)
            for evicted in cache.put(key_id, lookup):
                self._used.pop(evicted, None)
        return lookup

    def _recent(self, cache: LruCache[str, Lookup], key_id: str, seconds: float) -> Lookup | None:
        lookup = cache.peek(key_id)
        if lookup is None or self._clock.monotonic() - lookup.at >= seconds:
            return None
        return cache.get(key_id)
