"""Cost of a fleet's instances so far, by EC2's rule for Linux on demand.

An instance is billed while it is running, by the second, and for a minute at least each time that
it is started.  Source: https://aws.amazon.com/ec2/pricing/on-demand/ (per-second billing).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_SECONDS: Final = 60.0  #: billed for each start
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Instance-seconds since the fleet's first view.

    It is computed from observations of the fleet. Each run counts from the observation before its
    first to the first one without it. So a run is counted up to one interval too long at either
    end, and never too short.
    """

    ended: float = 0.0  #: seconds of runs that are over
    runs: Mapping[str, float] = field(default_factory=dict)  #: instance -> when its run began

    def seconds(self, now: float) -> float:
        """All that is to be paid for by now."""
        return self.ended + sum(_billed(now - began) for began in self.runs.values())

    def after(self, running: Mapping[str, float], *, now: float, last: float | None) -> Bill:
        """Return the bill after one more look.

        Args:
            running: the instances that are running, and when each was last started.
            now: the time of the look.
            last: the time of the look before; None: there was none.
        """
        ended = self.ended
        runs: dict[str, float] = {}
        for name, began in self.runs.items():
            # Started after its run began: that run was over meanwhile, unseen.
            if name in running and running[name] <= began:
                runs[name] = began
            else:
                ended += _billed(now - began)
        for name, started in running.items():
            if name not in runs:
                # It was pending for a part of this, which is free.
                runs[name] = min(now, started if last is None else max(started, last))
        return Bill(ended=ended, runs=runs)

    def encode(self) -> dict[str, Any]:
        """Return the bill as JSON values."""
        return {"ended": round(self.ended, 3), "runs": dict(self.runs)}

    @classmethod
    def decode(cls, fields: Mapping[str, Any]) -> Bill:
        """Return the bill that `encode` gave."""
        return cls(ended=float(fields["ended"]), runs=dict(fields["runs"]))


def cost(instance_seconds: float, *, dollars_per_hour: float) -> float:
    """Dollars for so many seconds of an instance."""
    return instance_seconds / _HOUR * dollars_per_hour


def _billed(seconds: float) -> float:
    return max(LEAST_SECONDS, seconds)
