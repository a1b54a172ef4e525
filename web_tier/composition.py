"""Composition of the web tier's programs: adapters and kinds are chosen here, and only here."""

from __future__ import annotations

import random
import secrets
import signal
import threading
from typing import TYPE_CHECKING

import gridwell
from gridwell.adapters.aws.client import FEW_TRIES, client
from gridwell.adapters.aws.s3 import S3Store
from gridwell.adapters.aws.sns import SnsTopic
from gridwell.adapters.aws.sqs import SqsQueue
from gridwell.adapters.dynamodb.access_ledger import DynamoAccessLedger
from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger
from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.adapters.http_kill import HttpKill
from gridwell.adapters.memcached.cache import MemcachedCache
from gridwell.adapters.memcached.rate_limits import MemcachedRates
from gridwell.adapters.system_clock import SERVICE_CLOCK
from gridwell.kinds.registry import KINDS
from gridwell.program.logs import log_to_stderr
from gridwell.program.settings import read_settings
from web_tier.auth.key_cache import KeyCache
from web_tier.auth.policy import Access
from web_tier.collector.collector import Collector
from web_tier.collector.denials import Denials
from web_tier.collector.finisher import Finisher
from web_tier.collector.heartbeat import collector_beat
from web_tier.collector.process import log_refusal, run
from web_tier.collector.reconciler import Reconciler
from web_tier.dependencies import Dependencies
from web_tier.jobs.event_publisher import Publisher, both
from web_tier.jobs.quota_check import QuotaCheck
from web_tier.jobs.sealed_cache import SealedCache
from web_tier.jobs.service import JobService
from web_tier.jobs.signer import Signer
from web_tier.monitoring.fleet_metrics import FleetMetrics
from web_tier.monitoring.forgeries import Forgeries
from web_tier.monitoring.metrics import CountedCache, Metrics
from web_tier.monitoring.metrics_server import MetricsServer
from web_tier.monitoring.readiness import Readiness
from web_tier.overload.concurrency_limit import default_limits
from web_tier.overload.queue_limit import QueueLimit
from web_tier.settings import Settings
from web_tier.waiting.watcher import Watcher

if TYPE_CHECKING:
    from apiflask import APIFlask


def run_collector(settings: Settings) -> None:
    """Merge what workers found into the ledger, and look after jobs left behind, until SIGTERM.

    Args:
        settings: of the web tier.
    """
    clock, sqs, dynamodb = SERVICE_CLOCK, client("sqs"), client("dynamodb")
    cache = MemcachedCache(settings.memcached)
    ledger = DynamoJobLedger(dynamodb, settings.table)
    store = S3Store(client("s3"), settings.bucket)
    metrics = Metrics()
    publisher = chosen_publisher(settings)
    forgeries = Forgeries()
    metrics.watch_losses(
        outages=lambda: cache.outages,
        dropped=lambda: publisher.dropped,
        forged=lambda: forgeries.count,
    )
    signer = Signer(ledger)
    values = SealedCache(cache, signer, forged=forgeries.add)
    tell = both(metrics.tell, publisher.tell)
    denials = Denials(clock)
    finisher = Finisher(
        ledger=ledger,
        store=store,
        cache=values,
        clock=clock,
        kinds=KINDS,
        tell=tell,
        signer=signer,
        denied=denials.add,
        refused=both(log_refusal, metrics.refused_answer),
        checked_points=settings.checked_points,
        doubled_share=settings.doubled_share,
    )
    metrics.watch_denials(lambda: len(denials.current))
    if settings.collector_metrics_port:
        MetricsServer(settings.host, settings.collector_metrics_port, metrics.registry).start()
    fleet = DynamoFleetLedger(dynamodb, settings.table, settings.fleet)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    chunks, results, dead_chunks, dead_results = (
        SqsQueue(sqs, settings.queue(name))
        for name in ("chunks", "results", "dead_chunks", "dead_results")
    )
    run(
        Collector(
            results=results,
            ledger=ledger,
            finisher=finisher,
            cache=values,
            clock=clock,
            poll_seconds=settings.poll_seconds,
            tell=tell,
            denials=denials,
        ),
        Reconciler(
            ledger=ledger,
            chunks=chunks,
            results=results,
            dead_chunks=dead_chunks,
            dead_results=dead_results,
            finisher=finisher,
            clock=clock,
            denials=denials,
        ),
        clock=clock,
        stopping=stopping.is_set,
        jitter=lambda: random.uniform(0.8, 1.2),  # noqa: S311 - spreads load, guards nothing
        reconcile_seconds=settings.reconcile_seconds,
        refused=metrics.refused_reports,
        beat=lambda merged: fleet.beat(
            collector_beat(
                settings.fleet,
                now=clock.now(),
                merged=merged,
                version=gridwell.__version__,
                refuses=denials.summary,
                skew=clock.skew,
            )
        ),
    )
    publisher.close()


def application() -> APIFlask:
    """Return the application as gunicorn's worker loads it."""
    from web_tier.app import create_app  # noqa: PLC0415 - the collector needs none of it

    log_to_stderr()
    return create_app(chosen_parts(read_settings(Settings)))


def chosen_parts(settings: Settings) -> Dependencies:
    """The parts of the application on AWS and memcached."""
    clock = SERVICE_CLOCK
    cache = MemcachedCache(settings.memcached)
    metrics = Metrics()
    publisher = chosen_publisher(settings)
    dynamodb = client("dynamodb")
    ledger = DynamoJobLedger(dynamodb, settings.table)
    chunks = SqsQueue(client("sqs"), settings.queue("chunks"))
    access_ledger = DynamoAccessLedger(dynamodb, settings.table)
    allowance = QuotaCheck(quota=settings.quota, jobs=ledger, spending=access_ledger, clock=clock)
    store = S3Store(client("s3"), settings.bucket)
    signer, forgeries = Signer(ledger), Forgeries()
    watched = SealedCache(cache, signer, forged=forgeries.add)
    service = JobService(
        ledger=ledger,
        store=store,
        # The watcher's lookups are not counted: it asks forty times a second for what is awaited.
        cache=SealedCache(CountedCache(cache, metrics), signer, forged=forgeries.add),
        signer=signer,
        doubled_share=settings.doubled_share,
        chunks=chunks,
        clock=clock,
        draw_attempt=lambda: secrets.token_hex(8),
        admit=QueueLimit(chunks, clock=clock, limit=settings.max_backlog).admit,
        charge=allowance.charge,
        tell=both(metrics.tell, publisher.tell),
        kinds=KINDS,
    )
    watcher = Watcher(
        cache=watched,
        ledger=ledger,
        clock=clock,
        capacity=settings.waiting,
        streams=settings.streams,
        kinds=KINDS,
    )
    fleet = DynamoFleetLedger(dynamodb, settings.table, settings.fleet)
    gates = default_limits(clock)
    metrics.watch_rooms(gates, watcher)
    metrics.watch_losses(
        outages=lambda: cache.outages,
        dropped=lambda: publisher.dropped,
        forged=lambda: forgeries.count,
    )
    metrics.registry.register(FleetMetrics(fleet, name=settings.fleet, clock=clock))
    return Dependencies(
        service=service,
        watcher=watcher,
        fleet=fleet,
        clock=clock,
        gates=gates,
        readiness=Readiness(
            ledger=ledger,
            store=store,
            chunks=chunks,
            cache=watched,
            fleet=fleet,
            name=settings.fleet,
            clock=clock,
        ),
        metrics=metrics,
        close=publisher.close,
        dollars_per_hour=settings.dollars_per_hour,
        access=Access(
            keyring=KeyCache(access_ledger, clock) if settings.access == "keys" else None,
            rates=MemcachedRates(settings.memcached, stack=settings.stack),
            limits=settings.rates,
            failure_limit=settings.failure_rate,
            hosts=settings.names,
            proxies=settings.proxies,
        ),
        kill=HttpKill(settings.kill_url, key=settings.kill_key.get_secret_value())
        if settings.kill_url
        else None,
    )


def chosen_publisher(settings: Settings) -> Publisher:
    """What publishes jobs' events: to a topic, or to nobody."""
    topic = None
    if settings.events_topic:
        topic = SnsTopic(client("sns", tries=FEW_TRIES), settings.events_topic)
    return Publisher(topic, clock=SERVICE_CLOCK, kinds=KINDS)
