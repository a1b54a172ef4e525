"""When requests arrive: all at once, as far as the clients reach.

Each client takes the next request as soon as its last one is answered, so that as many are under
way as there are clients.
"""

from __future__ import annotations

import threading


class Arrivals:
    """Hands out the places of a run, each once, to many threads.

    Args:
        requests: how many there are.
    """

    def __init__(self, requests: int) -> None:
        self._left = iter(range(requests))
        self._lock = threading.Lock()
        self._stopped = False

    def take(self) -> int | None:
        """Return the next place, or None if there is none left or the run was stopped."""
        with self._lock:
            return None if self._stopped else next(self._left, None)

    def stop(self) -> None:
        """Hand out no more."""
        with self._lock:
            self._stopped = True
