"""The machine's own clocks."""

from __future__ import annotations

import time


class SystemClock:
    """Keeps the promises of `gridwell.domain.ports.Clock`."""

    def now(self) -> float:
        """See `gridwell.domain.ports.Clock`."""
        return time.time()

    def monotonic(self) -> float:
        """See `gridwell.domain.ports.Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `gridwell.domain.ports.Clock`."""
        time.sleep(seconds)
