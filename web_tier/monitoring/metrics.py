"""Prometheus metrics of this process.

Labels come from the code (routes, states, codes) and never from a client, so that each takes a
handful of values.  Values that other objects hold (queues, fleet, threads) are read at a scrape.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from flask import g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

import gridwell
from gridwell.engine.job_events import EventKind
from web_tier.auth.head_only import is_to_go_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flask import Flask, Response
    from prometheus_client import Metric

    from gridwell.engine.job_events import JobEvent
    from gridwell.engine.ports import Cache
    from web_tier.collector.finisher import ObjectRefusal
    from web_tier.overload.concurrency_limit import ConcurrencyLimits
    from web_tier.waiting.watcher import Watcher

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, unread
TYPE: Final = CONTENT_TYPE_LATEST
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST"})
_NO_ROUTE: Final = "none"
_ENDED: Final = frozenset({EventKind.DONE, EventKind.FAILED, EventKind.CANCELLED})
#: From a file of ours to a client that waits for its job; streams count until they begin.
_SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        build = Gauge("gridwell_build", "Always 1.", ["version"], registry=self.registry)
        build.labels(gridwell.__version__).set(1)
        self._requests = Counter(
            "gridwell_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "gridwell_http_request_seconds",
            "From a request that is whole to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "gridwell_http_refused",
            "Requests sent away at the door, before any thread served them.",
            ["code"],
            registry=self.registry,
        )
        self._events = Counter(
            "gridwell_job_events",
            "Jobs accepted, and merges that brought a job on.",
            ["event"],
            registry=self.registry,
        )
        self._ended = Counter(
            "gridwell_jobs_ended",
            "Jobs that ended, and how.",
            ["state", "code"],
            registry=self.registry,
        )
        self._cache = Counter(
            "gridwell_cache_lookups",
            "Values asked of memcached.",
            ["found"],
            registry=self.registry,
        )
        self._refused_answers = Counter(
            "gridwell_answers_refused",
            "Merged answers that were proved wrong, whose attempts were discarded.",
            registry=self.registry,
        )
        self._refused_reports = Counter(
            "gridwell_reports_refused",
            "Workers' reports that were refused: forged, or of another job.",
            registry=self.registry,
        )
        for kind in (EventKind.ACCEPTED, EventKind.PROGRESS):
            self._events.labels(kind.value)
        for found in ("yes", "no"):
            self._cache.labels(found)

    def tell(self, event: JobEvent) -> None:
        """Count what happened to a job."""
        if event.kind in _ENDED:
            code = "" if event.job.error is None else event.job.error.code
            self._ended.labels(event.kind.value, code).inc()
        else:
            self._events.labels(event.kind.value).inc()

    def refused_answer(self, refusal: ObjectRefusal) -> None:
        """Count an answer that was proved wrong."""
        del refusal  # its job and its workers are in the log
        self._refused_answers.inc()

    def refused_reports(self, count: int) -> None:
        """Count reports that were refused."""
        self._refused_reports.inc(count)

    def refused(self, code: str) -> None:
        """Count a request that the HTTP server refused."""
        self._refused.labels(code).inc()

    def looked_up(self, *, found: int, missed: int) -> None:
        """Count values that the cache was asked for."""
        self._cache.labels("yes").inc(found)
        self._cache.labels("no").inc(missed)

    def watch(self, app: Flask) -> None:
        """Count an application's requests by route, as it is written in our code."""
        app.before_request(_begin)
        app.after_request(self._answered)

    def watch_rooms(self, gates: ConcurrencyLimits, watcher: Watcher) -> None:
        """Report the concurrency limits and the waiting clients at each scrape."""
        clients = Gauge(
            "gridwell_clients_waiting",
            "Requests that wait for a job's end, or follow it.",
            ["kind"],
            registry=self.registry,
        )
        clients.labels("wait").set_function(lambda: watcher.waiting)
        clients.labels("stream").set_function(lambda: watcher.streaming)
        self.registry.register(_LimitMetrics(gates))

    def watch_losses(
        self,
        *,
        outages: Callable[[], int],
        dropped: Callable[[], int],
        forged: Callable[[], int] = lambda: 0,
    ) -> None:
        """Report memcached's outages and forged values, and the dropped events."""
        for name, text, value in (
            ("gridwell_cache_outages", "Times that memcached stopped answering.", outages),
            ("gridwell_cache_forged", "Cached values that this stack did not write.", forged),
            ("gridwell_job_events_dropped", "Events that could not be published.", dropped),
        ):
            self.registry.register(_CallbackMetric(name, text, value))

    def watch_denials(self, jobs: Callable[[], int]) -> None:
        """Report how many jobs a service refuses something of."""
        gauge = Gauge(
            "gridwell_jobs_denied",
            "Jobs of which a service refused something in the last ten minutes.",
            registry=self.registry,
        )
        gauge.set_function(jobs)

    def text(self) -> bytes:
        """Return all values in Prometheus's format."""
        return generate_latest(self.registry)

    def _answered(self, response: Response) -> Response:
        if is_to_go_on(response):
            return response  # no answer yet
        route = _NO_ROUTE if request.url_rule is None else request.url_rule.rule
        # Files' addresses carry a digest, which changes with each release.
        route = "/static" if request.endpoint == "static" else route
        method = request.method if request.method in _METHODS else "other"
        self._requests.labels(method, route, str(response.status_code)).inc()
        began = g.get("began")
        if began is not None:
            self._seconds.labels(route).observe(time.perf_counter() - began)
        return response


def _begin() -> None:
    g.began = time.perf_counter()


class _CallbackMetric(Collector):
    """A counter whose value a callback returns."""

    def __init__(self, name: str, text: str, value: Callable[[], int]) -> None:
        self._name = name
        self._text = text
        self._value = value

    def collect(self) -> Iterable[Metric]:
        """Return the value as it is now."""
        return (CounterMetricFamily(self._name, self._text, value=self._value()),)


class _LimitMetrics(Collector):
    """The requests at work under each concurrency limit, and those that it refused."""

    def __init__(self, limits: ConcurrencyLimits) -> None:
        self._limits = {
            "submits": limits.submits,
            "large_bodies": limits.large_bodies,
            "downloads": limits.downloads,
        }
        optional = {"files": limits.files, "readers": limits.readers}
        self._limits |= {name: limit for name, limit in optional.items() if limit is not None}

    def collect(self) -> Iterable[Metric]:
        """Return the values as they are now."""
        inside = GaugeMetricFamily(
            "gridwell_gate_inside", "Requests at work behind a gate.", labels=["gate"]
        )
        refused = CounterMetricFamily(
            "gridwell_gate_refusals", "Requests that a gate sent away.", labels=["gate"]
        )
        for name, limit in self._limits.items():
            inside.add_metric([name], limit.inside)
            refused.add_metric([name], limit.refusals)
        return inside, refused


class CountedCache:
    """A cache whose lookups are counted; see `gridwell.engine.ports.Cache`."""

    def __init__(self, cache: Cache, metrics: Metrics) -> None:
        self._cache = cache
        self._metrics = metrics
        self.set = cache.set
        self.delete = cache.delete

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the values that are there, by key."""
        found = self._cache.get_many(keys)
        self._metrics.looked_up(found=len(found), missed=len(set(keys)) - len(found))
        return found
