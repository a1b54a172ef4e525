"""Prometheus metrics of the fleet and its queue, from the view that the autoscaler wrote."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gridwell.engine.errors import GridwellError
from gridwell.fleet.model import InstanceState
from web_tier.collector.heartbeat import collector_name
from web_tier.monitoring.readiness import collector_silence
from web_tier.monitoring.silence import Silence
from web_tier.monitoring.timed_checks import Checks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.engine.ports import Clock
    from gridwell.fleet.model import FleetView
    from gridwell.fleet.ports import FleetLedger

_STATES: Final = tuple(state.value for state in InstanceState)


class FleetMetrics(Collector):
    """Collector that reads the ledger at each scrape, for two seconds at most.

    A value that cannot be read is left out and never reported as 0.  Alarms watch
    `gridwell_fleet_seen`.

    Args:
        ledger: holds the view.
        name: of the fleet.
        clock: measures the view's age.
    """

    def __init__(self, ledger: FleetLedger, *, name: str, clock: Clock) -> None:
        self._ledger = ledger
        self._worker = collector_name(name)
        self._view: FleetView | None = None
        self._silence = Silence(clock)
        self._collector_age: float | None = None
        self._checks = Checks({"view": self._read}, clock=clock)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the values as they are now."""
        seen = not self._checks.problems()
        yield _one("gridwell_fleet_seen", "1 if the fleet's view could be read.", float(seen))
        if not seen:
            return
        if self._collector_age is not None:
            text = "Seconds since a collector's last heartbeat."
            yield _one("gridwell_collector_age_seconds", text, self._collector_age)
        view = self._view
        if view is None:
            return
        age = self._silence.seconds("view", view.at, at=view.at)
        yield _one("gridwell_fleet_view_age_seconds", "Since the autoscaler wrote it.", age)
        states = Counter(instance.state for instance in view.instances)
        instances = GaugeMetricFamily(
            "gridwell_fleet_instances", "Instances by EC2's state.", labels=["state"]
        )
        for state in _STATES:
            instances.add_metric([state], states[state])
        yield instances
        chunks = GaugeMetricFamily(
            "gridwell_queue_chunks", "Chunks in the queue, approximately.", labels=["kind"]
        )
        chunks.add_metric(["visible"], view.queue.visible)
        chunks.add_metric(["in_flight"], view.queue.in_flight)
        yield chunks
        yield _one("gridwell_fleet_cap", "The most instances there may be.", view.cap)
        billed = view.bill.seconds(view.at)
        text = "Seconds of instances that EC2 bills, since the first view."
        yield _one("gridwell_fleet_billed_seconds", text, billed)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return nothing, as the ledger is read at a scrape only."""
        return ()

    def _read(self) -> None:
        try:
            self._view = self._ledger.view()
            self._collector_age = collector_silence(self._ledger, self._worker, self._silence)
        except (KeyError, TypeError, ValueError) as error:
            raise GridwellError(f"the view cannot be read: {error!r}") from error


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
