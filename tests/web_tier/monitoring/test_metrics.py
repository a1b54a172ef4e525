"""What a web process tells Prometheus."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gridwell.adapters.memory import ManualClock, MemoryCache, MemoryLedger
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import INTEGRITY, JobError, JobState
from gridwell.engine.job_events import EventKind, JobEvent
from gridwell.engine.ports import Depth
from gridwell.fleet.billing import Bill
from gridwell.fleet.model import FleetView, InstanceView
from tests.harness.builders import NOW, a_job, a_problem
from tests.harness.web_http import SMALL, Site, narrow_gates
from web_tier.collector.heartbeat import collector_beat
from web_tier.monitoring.fleet_metrics import FleetMetrics
from web_tier.monitoring.metrics import CountedCache, Metrics
from web_tier.overload.concurrency_limit import Overloaded

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def values(metrics: Metrics) -> Values:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return values(metrics).get((name, frozenset(labels.items())))


def scraped(site: Site) -> Metrics:
    """The site's metrics, read once as Prometheus would."""
    answer = site.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    metrics: Metrics = site.metrics
    return metrics


def test_requests_are_counted_by_route_and_status_and_no_client_chooses_a_label() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))
    site.client.get(f"/v1/jobs/{job.id}")
    site.client.get(f"/v1/jobs/{'0' * 32}")
    site.client.get("/etc/passwd?secret=1")
    site.client.open("/v1/jobs", method="BREW")

    metrics = scraped(site)

    route = "/v1/jobs/<job_id>"
    name = "gridwell_http_requests_total"
    assert value(metrics, name, method="POST", route="/v1/jobs", status="202") == 1
    assert value(metrics, name, method="GET", route=route, status="200") == 1
    assert value(metrics, name, method="GET", route=route, status="404") == 1
    assert value(metrics, name, method="GET", route="none", status="404") == 1
    assert value(metrics, name, method="other", route="none", status="405") == 1
    assert value(metrics, "gridwell_http_request_seconds_count", route=route) == 2
    text = metrics.text().decode()
    assert not re.search(f"{job.id}|passwd|secret|BREW", text)


def test_jobs_are_counted_as_they_are_accepted_and_as_they_end() -> None:
    metrics = Metrics()
    job = a_job(a_problem())
    failed = replace(job, state=JobState.FAILED, error=JobError(INTEGRITY, "why"))
    for event in (
        JobEvent(kind=EventKind.ACCEPTED, job=job, at=NOW),
        JobEvent(kind=EventKind.PROGRESS, job=job, at=NOW),
        JobEvent.of_end(replace(job, state=JobState.DONE), at=NOW),
        JobEvent.of_end(failed, at=NOW),
    ):
        metrics.tell(event)

    assert value(metrics, "gridwell_job_events_total", event="accepted") == 1
    assert value(metrics, "gridwell_job_events_total", event="progress") == 1
    assert value(metrics, "gridwell_jobs_ended_total", state="done", code="") == 1
    assert value(metrics, "gridwell_jobs_ended_total", state="failed", code=INTEGRITY) == 1


def test_a_site_tells_its_metrics_of_jobs() -> None:
    site = Site()
    site.done()
    other = site.stored(site.post({"grid_size": 5, "atom_count": 3}))
    site.client.delete(f"/v1/jobs/{other.id}")

    metrics = scraped(site)

    assert value(metrics, "gridwell_job_events_total", event="accepted") == 2
    assert value(metrics, "gridwell_jobs_ended_total", state="cancelled", code="") == 1


def test_gates_and_waiting_clients_are_told_as_they_are() -> None:
    gates = narrow_gates()
    site = Site(gates=gates)
    job = site.stored(site.post(SMALL))
    ticket = site.watcher.follow(job)
    with gates.submits.admitted():
        with pytest.raises(Overloaded):
            gates.submits.enter()
        metrics = scraped(site)
        assert value(metrics, "gridwell_clients_waiting", kind="stream") == 1
        assert value(metrics, "gridwell_clients_waiting", kind="wait") == 0
        assert value(metrics, "gridwell_gate_inside", gate="submits") == 1
    assert ticket is not None
    site.watcher.leave(ticket)
    site.watcher.close()

    assert value(metrics, "gridwell_gate_inside", gate="submits") == 0
    assert value(metrics, "gridwell_gate_refusals_total", gate="submits") == 1


def test_lookups_of_the_cache_are_hits_or_misses() -> None:
    metrics = Metrics()
    cache = CountedCache(MemoryCache(ManualClock()), metrics)
    cache.set("a", b"1", seconds=10)

    assert cache.get_many(["a", "b", "c"]) == {"a": b"1"}

    assert value(metrics, "gridwell_cache_lookups_total", found="yes") == 1
    assert value(metrics, "gridwell_cache_lookups_total", found="no") == 2


def test_what_others_count_is_told() -> None:
    metrics = Metrics()
    metrics.watch_losses(outages=lambda: 3, dropped=lambda: 4)
    metrics.refused("request_timeout")

    assert value(metrics, "gridwell_cache_outages_total") == 3
    assert value(metrics, "gridwell_job_events_dropped_total") == 4
    assert value(metrics, "gridwell_http_refused_total", code="request_timeout") == 1


def a_view() -> FleetView:
    on = InstanceView(id="i-1", state="running", slot=0, since=NOW)
    return FleetView(
        at=NOW,
        instances=(on,),
        queue=Depth(visible=7, in_flight=2),
        cap=4,
        bill=Bill(ended=90.0),
    )


def fleet_values(ledger: MemoryLedger, clock: ManualClock) -> Mapping[str, float]:
    metrics = Metrics()
    metrics.registry.register(FleetMetrics(ledger, name="f", clock=clock))
    return {
        " ".join([name, *sorted(each for _, each in labels)]): number
        for (name, labels), number in values(metrics).items()
        if name.startswith(("gridwell_fleet", "gridwell_queue", "gridwell_collector"))
    }


def test_the_fleet_is_told_as_last_seen_with_the_age_of_that() -> None:
    ledger, clock = MemoryLedger(), ManualClock()
    ledger.write_view(a_view())
    ledger.beat(collector_beat("f", now=clock.now() - 5, merged=1, version="1"))
    clock.advance(NOW + 12 - clock.now())

    told = fleet_values(ledger, clock)

    assert told["gridwell_fleet_seen"] == 1
    assert told["gridwell_fleet_view_age_seconds"] == 12
    assert told["gridwell_fleet_instances running"] == 1
    assert told["gridwell_fleet_instances stopped"] == 0
    assert told["gridwell_queue_chunks visible"] == 7
    assert told["gridwell_fleet_billed_seconds"] == 90
    assert told["gridwell_collector_age_seconds"] == 17


def test_before_the_first_view_nothing_is_told_of_the_fleet() -> None:
    assert fleet_values(MemoryLedger(), ManualClock()) == {"gridwell_fleet_seen": 1}


def test_a_ledger_that_is_away_is_no_empty_fleet() -> None:
    class Away(MemoryLedger):
        def view(self) -> FleetView | None:
            raise ServiceBusy("throttled")

    assert fleet_values(Away(), ManualClock()) == {"gridwell_fleet_seen": 0}
