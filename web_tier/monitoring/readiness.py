"""Whether a web process can serve, and what it would have to do without."""

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
    """One look."""

    problems: dict[str, str]  #: without these no job can be taken
    notes: dict[str, str]  #: what costs only time


class Readiness:
    """Looks, at most once in some seconds, and for at most two.

    Args:
        ledger: must be readable.
        store: must be readable.
        chunks: the chunk queue, which must tell its depth.
        cache: may be away.
        fleet: where collectors leave their signs of life.
        name: of the fleet.
        clock: tells the time.
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
        """What is away."""
        problems = self._needed.problems()
        # With the ledger away nobody can tell of the collector, and one reason is enough.
        return Ready(problems=problems, notes={} if problems else self._wanted.problems())

    def _ask_cache(self) -> None:
        self._cache.set(_PROBE, b"1", seconds=60)
        if not self._cache.get_many([_PROBE]):
            raise ServiceBusy("it keeps nothing; answers come later, and none is wrong")

    def _ask_collector(self) -> None:
        age = collector_silence(self._fleet, self._worker, self._silence)
        if age is None or age > SILENT_SECONDS:
            heard = "never" if age is None else f"{age:.0f} s ago"
            raise ServiceBusy(f"last heard of {heard}; jobs wait until one runs")


def collector_silence(ledger: FleetLedger, worker: str, silence: Silence) -> float | None:
    """Return for how many seconds no collector was heard of, as far as is known; None: ever.

    Args:
        ledger: where collectors leave their signs of life.
        worker: the name that they use.
        silence: what was heard of them before.
    """
    beat = ledger.heartbeats([worker]).get(worker)
    return None if beat is None else silence.seconds(worker, beat, at=beat.at)
