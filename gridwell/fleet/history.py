"""The fleet over the last hour, compact enough to be kept inside the fleet's view.  Pure."""

from __future__ import annotations

import base64
import bisect
import json
import zlib
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

KEPT_SECONDS: Final = 3600.0
APART_SECONDS: Final = 10.0  #: at most one sample in so long
COUNTS: Final = ("pending", "running", "stopping", "stopped", "visible", "in_flight", "cap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The fleet and its queue at one moment."""

    at: int  #: seconds since 1970
    pending: int = 0
    running: int = 0
    stopping: int = 0
    stopped: int = 0
    visible: int = 0  #: chunks waiting
    in_flight: int = 0  #: chunks leased
    cap: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Samples of the last hour, the oldest first."""

    samples: tuple[Sample, ...] = ()

    def with_sample(self, sample: Sample) -> History:
        """Return the history with one sample more, unless there is one of the same ten seconds.

        Tens of seconds by the clock and not since the last sample: a daemon that ticks each 9.9 s
        would otherwise leave out every second one.
        """
        last = self.samples[-1].at if self.samples else None
        if last is not None and sample.at // APART_SECONDS == last // APART_SECONDS:
            return self
        # A clock that was set back begins a new hour: times must rise for whoever draws them.
        at = attrgetter("at")
        first = bisect.bisect_left(self.samples, sample.at - KEPT_SECONDS, key=at)
        last_kept = bisect.bisect_left(self.samples, sample.at, lo=first, key=at)
        return History((*self.samples[first:last_kept], sample))

    def columns(self) -> dict[str, list[int]]:
        """Return the values of each field, the oldest first."""
        names = ("at", *COUNTS)
        return {name: [getattr(one, name) for one in self.samples] for name in names}

    def encode(self) -> str:
        """Return the history as text: differences in columns, about a byte a sample compressed."""
        columns = [_differences(column) for column in self.columns().values()]
        text = json.dumps(columns, separators=(",", ":"))
        return base64.b64encode(zlib.compress(text.encode(), 9)).decode()

    @classmethod
    def decode(cls, text: str) -> History:
        """Return the history that `encode` gave."""
        columns: list[Any] = json.loads(zlib.decompress(base64.b64decode(text)))
        names = ("at", *COUNTS)
        rows = zip(*(_sums(column) for column in columns), strict=True)
        return cls(tuple(Sample(**dict(zip(names, row, strict=True))) for row in rows))


def _differences(values: list[int]) -> list[int]:
    return [value - before for before, value in zip([0, *values], values, strict=False)]


def _sums(differences: list[int]) -> list[int]:
    total = 0
    return [total := total + each for each in differences]
