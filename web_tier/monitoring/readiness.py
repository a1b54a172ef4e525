"""Readiness of a web process, and the services that it can do without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceBusy
from gridwell.engine.object_keys import problem_object
from web_tier.collector.heartbeat import collector_name
from web_tier.monitoring.silence import Silence
from web_tier.monitoring.timed_checks import Checks

if TYPE_CHECKING:
    from gridwell.engine.ports import Cache, Clock, JobLedger, ObjectStore, Queue
    from gridwell.fleet.ports import FleetLedger

SILENT_SECONDS: Final = 60.0  #: longer than a collector's longest step: nobody collects
_NO_JOB: Final = "0" * 32
_NO_PROBLEM: Final = problem_object("0" * 64)
_PROBE: Final = "readyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Result of one look."""

    problems: dict[str, str]  #: services without which no job can be accepted
    notes: dict[str, str]  #: services whose absence only costs time


class Readiness:
    """Checks of the services, at most once in some seconds, and for at most two.

    Args:
        ledger: must be readable.
        store: must be readable.
        chunks: the chunk queue, whose depth must be readable.
        cache: may be unavailable.
        fleet: holds the collectors' heartbeats.
        name: of the fleet.
        clock: gives the time.
    """

    def __init__(
        self,
        *,
        ledger: JobLedger,
        store: ObjectStore,
        chunks: Queue,
        cache: Cache,
        fleet: FleetLedger,
        name: str,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._cache = cache
        self._fleet = fleet
        self._worker = collector_name(name)
        self._silence = Silence(clock)
        self._needed = Checks(
            {
                "ledger": lambda: ledger.read(_NO_JOB),
                "store": lambda: store.get(_NO_PROBLEM),
                "queue": chunks.depth,
            },
            clock=clock,
        )
        self._wanted = Checks(
            {"memcached": self._ask_cache, "collector": self._ask_collector}, clock=clock
        )

    def look(self) -> Ready:
        """Return the services that are unavailable."""
        problems = self._needed.problems()
        # Without the ledger the collector's heartbeat is unknown, and one reason is enough.
        return Ready(problems=problems, notes={} if problems else self._wanted.problems())

    def _ask_cache(self) -> None:
        self._cache.set(_PROBE, b"1", seconds=60)
        if not self._cache.get_many([_PROBE]):
            raise ServiceBusy("it keeps nothing; answers come later, and none is wrong")

    def _ask_collector(self) -> None:
        age = collector_silence(self._fleet, self._worker, self._silence)
        if age is None or age > SILENT_SECONDS:
            last = "never" if age is None else f"{age:.0f} s ago"
            raise ServiceBusy(f"last heard of {last}; jobs wait until one runs")


def collector_silence(ledger: FleetLedger, worker: str, silence: Silence) -> float | None:
    """Return the seconds since a collector's last heartbeat; None if there never was one.

    Args:
        ledger: holds the heartbeats.
        worker: the name in them.
        silence: their changes so far.
    """
    beat = ledger.heartbeats([worker]).get(worker)
    return None if beat is None else silence.seconds(worker, beat, at=beat.at)
