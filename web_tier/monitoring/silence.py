"""Time since another program last wrote, measured without its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.engine.changes import Changes

if TYPE_CHECKING:
    from gridwell.engine.ports import Clock


class Silence:
    """Times since other programs last wrote.

    Until a first change is observed, only the time in what a program wrote is known.  A time in the
    future counts as now.

    Args:
        clock: our own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changes: Changes[str, object] = Changes()
        self._first: dict[str, float] = {}

    def seconds(self, name: str, written: object, *, at: float) -> float:
        """Return for how long nothing new was written.

        Args:
            name: of what was read.
            written: as just read.
            at: when it was written, by the clock of its writer.
        """
        monotonic = self._clock.monotonic()
        since = self._changes.since(name, written, monotonic)
        observed = monotonic - since
        if since > self._first.setdefault(name, monotonic):
            return observed
        return max(observed, self._clock.now() - at)
