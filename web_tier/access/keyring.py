"""The keys of the ledger, remembered for a moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gridwell.domain.access import AccessKey
    from gridwell.domain.ports import AccessLedger, Clock

KEPT_SECONDS: Final = 30.0  #: so long a revoked key may still open
KEPT_KEYS: Final = 10_000  #: those that were never made too: who guesses must not fill the memory


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the ledger said of an id."""

    key: AccessKey | None
    at: float


class Keyring:
    """Looks keys up, each at most twice a minute in each process.

    Without the ledger no key is believed for longer than that: who was let in half a minute ago
    may be revoked by now.

    Args:
        ledger: where keys are.
        clock: measures how long ago one was looked up.
    """

    def __init__(self, ledger: AccessLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lookups: OrderedDict[str, Lookup] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, key_id: str) -> Lookup | None:
        """What was found under an id not long ago."""
        with self._lock:
            lookup = self._lookups.get(key_id)
            if lookup is None or self._clock.monotonic() - lookup.at >= KEPT_SECONDS:
                return None
            self._lookups.move_to_end(key_id)
            return lookup

    def look_up(self, key_id: str) -> Lookup:
        """What the ledger has under an id.

        Raises:
            ServiceBusy: if it cannot tell.
        """
        at = self._clock.monotonic()  # before the read, so that no revocation is seen too late
        lookup = Lookup(self._ledger.key(key_id), at)
        with self._lock:
            self._lookups[key_id] = lookup
            self._lookups.move_to_end(key_id)
            if len(self._lookups) > KEPT_KEYS:
                self._lookups.popitem(last=False)
        return lookup
