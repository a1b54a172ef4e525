"""The web tier's commands.  Only here are settings read and adapters chosen."""

from __future__ import annotations

import os
import random
import secrets
import signal
import sys
import threading
from importlib.resources import files
from typing import TYPE_CHECKING

import click

import gridwell
from gridwell.program.logs import log_to_stderr
from gridwell.program.settings import read_settings
from web_tier.operator.dead_letter_commands import dead_letters
from web_tier.operator.doctor.command import doctor
from web_tier.operator.key_commands import keys
from web_tier.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

    from web_tier.dependencies import Dependencies
    from web_tier.jobs.event_publisher import Publisher


@click.group()
def main() -> None:
    """The web tier: takes jobs over HTTP, collects results; keys and dead letters."""


main.add_command(dead_letters)
main.add_command(keys)
main.add_command(doctor)


@main.command()
def serve() -> None:
    """Serve HTTP by gunicorn: one process, many threads, until SIGTERM."""
    settings = read_settings(Settings)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        str(files("web_tier.http_server") / "gunicorn_conf.py"),
        "--bind",
        f"{settings.host}:{settings.port}",
        "--threads",
        str(settings.threads),
    ]
    # Replaces this process, so that whoever started it holds gunicorn's own pid.
    os.execv(sys.executable, command)  # noqa: S606 - no shell on purpose


@main.command()
def collect() -> None:
    """Merge what workers found into the ledger, and look after jobs left behind, until SIGTERM."""
    from gridwell.adapters.aws.client import client  # noqa: PLC0415 - `serve` needs none of it
    from gridwell.adapters.aws.s3 import S3Store  # noqa: PLC0415
    from gridwell.adapters.aws.sqs import SqsQueue  # noqa: PLC0415
    from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger  # noqa: PLC0415
    from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger  # noqa: PLC0415
    from gridwell.adapters.memcached.cache import MemcachedCache  # noqa: PLC0415
    from gridwell.adapters.system_clock import SERVICE_CLOCK  # noqa: PLC0415
    from gridwell.kinds.registry import KINDS  # noqa: PLC0415
    from web_tier.collector.collector import Collector  # noqa: PLC0415
    from web_tier.collector.denials import Denials  # noqa: PLC0415
    from web_tier.collector.finisher import Finisher  # noqa: PLC0415
    from web_tier.collector.heartbeat import collector_beat  # noqa: PLC0415
    from web_tier.collector.process import log_refusal, run  # noqa: PLC0415
    from web_tier.collector.reconciler import Reconciler  # noqa: PLC0415
    from web_tier.jobs.event_publisher import both  # noqa: PLC0415
    from web_tier.jobs.sealed_cache import SealedCache  # noqa: PLC0415
    from web_tier.jobs.signer import Signer  # noqa: PLC0415
    from web_tier.monitoring.forgeries import Forgeries  # noqa: PLC0415
    from web_tier.monitoring.metrics import Metrics  # noqa: PLC0415
    from web_tier.monitoring.metrics_server import MetricsServer  # noqa: PLC0415

    settings = read_settings(Settings)
    log_to_stderr()
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


def application() -> Flask:
    """The application as gunicorn's worker loads it."""
    from web_tier.app import create_app  # noqa: PLC0415 - `serve` itself needs none of it

    log_to_stderr()
    return create_app(chosen_parts(read_settings(Settings)))


def chosen_parts(settings: Settings) -> Dependencies:
    """The parts of the application on AWS and memcached."""
    from gridwell.adapters.aws.client import client  # noqa: PLC0415 - as above
    from gridwell.adapters.aws.s3 import S3Store  # noqa: PLC0415
    from gridwell.adapters.aws.sqs import SqsQueue  # noqa: PLC0415
    from gridwell.adapters.dynamodb.access_ledger import DynamoAccessLedger  # noqa: PLC0415
    from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger  # noqa: PLC0415
    from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger  # noqa: PLC0415
    from gridwell.adapters.http_kill import HttpKill  # noqa: PLC0415
    from gridwell.adapters.memcached.cache import MemcachedCache  # noqa: PLC0415
    from gridwell.adapters.memcached.rate_limits import MemcachedRates  # noqa: PLC0415
    from gridwell.adapters.system_clock import SERVICE_CLOCK  # noqa: PLC0415
    from gridwell.kinds.registry import KINDS  # noqa: PLC0415
    from web_tier.auth.key_cache import KeyCache  # noqa: PLC0415
    from web_tier.auth.policy import Access  # noqa: PLC0415
    from web_tier.dependencies import Dependencies  # noqa: PLC0415
    from web_tier.jobs.event_publisher import both  # noqa: PLC0415
    from web_tier.jobs.quota_check import QuotaCheck  # noqa: PLC0415
    from web_tier.jobs.sealed_cache import SealedCache  # noqa: PLC0415
    from web_tier.jobs.service import JobService  # noqa: PLC0415
    from web_tier.jobs.signer import Signer  # noqa: PLC0415
    from web_tier.monitoring.fleet_metrics import FleetMetrics  # noqa: PLC0415
    from web_tier.monitoring.forgeries import Forgeries  # noqa: PLC0415
    from web_tier.monitoring.metrics import CountedCache, Metrics  # noqa: PLC0415
    from web_tier.monitoring.readiness import Readiness  # noqa: PLC0415
    from web_tier.overload.concurrency_limit import usual_gates  # noqa: PLC0415
    from web_tier.overload.queue_limit import QueueLimit  # noqa: PLC0415
    from web_tier.waiting.watcher import Watcher  # noqa: PLC0415

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
    gates = usual_gates(clock)
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
    from gridwell.adapters.aws.client import FEW_TRIES, client  # noqa: PLC0415 - as above
    from gridwell.adapters.aws.sns import SnsTopic  # noqa: PLC0415
    from gridwell.adapters.system_clock import SERVICE_CLOCK  # noqa: PLC0415
    from gridwell.kinds.registry import KINDS  # noqa: PLC0415
    from web_tier.jobs.event_publisher import Publisher  # noqa: PLC0415

    topic = None
    if settings.events_topic:
        topic = SnsTopic(client("sns", tries=FEW_TRIES), settings.events_topic)
    return Publisher(topic, clock=SERVICE_CLOCK, kinds=KINDS)
