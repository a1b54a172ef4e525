"""The machine's own clocks, and the services' time, which all machines share."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gridwell.engine.ports import Clock

#: Counts the time in which the machine was suspended too, which Linux leaves out otherwise: what a
#: lease or a silence lasts goes on meanwhile.
_BOOT_TIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_DRIFT: Final = 1e-4  #: seconds by which a machine's clock may go wrong in a second


class SystemClock:
    """Keeps the promises of `gridwell.engine.ports.Clock`."""

    def now(self) -> float:
        """See `gridwell.engine.ports.Clock`."""
        return time.time()

    def monotonic(self) -> float:
        """See `gridwell.engine.ports.Clock`."""
        return time.clock_gettime(_BOOT_TIME)

    def sleep(self, seconds: float) -> None:
        """See `gridwell.engine.ports.Clock`."""
        time.sleep(seconds)


class ServiceClock:
    """The time of day by the services that all machines call.

    Each reply of AWS says what time it is there, in whole seconds.  Between two replies the
    machine's monotonic clock carries it on, so a wall clock that is wrong, or is set, changes
    nothing.  Before the first reply it is the machine's own wall clock.

    Args:
        clock: the machine's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: Between what the services' time is ahead of the monotonic clock, and when that was found.
        self._bounds: tuple[float, float, float] | None = None

    def now(self) -> float:
        """Return seconds since 1970 by the services' time, to a second or better."""
        bounds = self._bounds
        if bounds is None:
            return self._clock.now()
        return self._clock.monotonic() + (bounds[0] + bounds[1]) / 2

    def monotonic(self) -> float:
        """See `gridwell.engine.ports.Clock`."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `gridwell.engine.ports.Clock`."""
        self._clock.sleep(seconds)

    @property
    def skew(self) -> float | None:
        """Seconds by which the machine's wall clock is ahead; None: no service has replied yet."""
        return None if self._bounds is None else self._clock.now() - self.now()

    def hear(self, date: float, *, asked: float, answered: float) -> None:
        """Learn from a reply.

        Args:
            date: the service's time in it: seconds since 1970, without their fraction.
            asked: when the request was sent, by the monotonic clock.
            answered: when its reply had come.
        """
        low, high = date - answered, date + 1.0 - asked
        with self._lock:
            if self._bounds is not None:
                least, most, at = self._bounds
                drift = _DRIFT * max(0.0, answered - at)
                both = max(low, least - drift), min(high, most + drift)
                # Where both cannot be right the clocks were set, or this is another service's time.
                if both[0] <= both[1]:
                    low, high = both
            self._bounds = low, high, answered


#: The one that every client of `gridwell.adapters.aws.client` keeps right.
SERVICE_CLOCK: Final = ServiceClock(SystemClock())
