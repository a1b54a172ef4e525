"""The app tier's commands.  Only here are settings read and adapters chosen.

Imports wait for the command that needs them: the compute processes start first, and load numpy
while this one loads boto3.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import signal
from typing import TYPE_CHECKING

import click

from gridwell.adapters.commands import echo

if TYPE_CHECKING:
    from app_tier.bench import Ports
    from app_tier.pool import ProcessPool
    from app_tier.settings import Settings
    from app_tier.worker import Worker

logger = logging.getLogger(__name__)


class _Orders:
    """Carries an order to stop to the worker, also one that comes before there is a worker."""

    def __init__(self) -> None:
        self._told = False
        self._worker: Worker | None = None

    def stop(self, *_: object) -> None:
        """A signal's handler."""
        self._told = True
        if self._worker is not None:
            self._worker.stop()

    def follow(self, worker: Worker) -> None:
        """Tell it to stop when we are told, or were already."""
        self._worker = worker
        if self._told:
            worker.stop()


@click.group()
def main() -> None:
    """The app tier: computes chunks until there are none.

    Exit codes: 0 done (for `work`: the queue is idle, and nothing else), 1 failed, 2 wrong usage
    or settings, 69 the queues have not answered for long, 75 told to stop.
    """


@main.command()
def work() -> None:
    """Compute chunks from the queue until it stays empty."""
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415 - see above

    from app_tier.pool import ProcessPool  # noqa: PLC0415
    from app_tier.settings import Settings  # noqa: PLC0415
    from gridwell.adapters.logs import log_to_stderr  # noqa: PLC0415
    from gridwell.adapters.program import read_settings  # noqa: PLC0415

    settings = read_settings(Settings)
    orders = _Orders()
    for name in (signal.SIGTERM, signal.SIGINT):
        # Early: to systemd death by SIGTERM is a clean end, and a clean end powers off.
        signal.signal(name, orders.stop)
    log_to_stderr()
    with ProcessPool(settings.cores) as pool:
        from gridwell.domain.errors import ServiceDenied  # noqa: PLC0415

        try:
            status = _work(settings, pool, orders)
        except ServiceDenied as error:
            logger.critical(
                "a service refuses us: %s", error, extra={"action": "worker.service_denied"}
            )
            status = 1
        except BrokenProcessPool as error:
            logger.critical(
                "compute processes do not start: %s; `python -m app_tier smoke` says more",
                error,
                extra={"action": "worker.no_processes"},
            )
            status = 1
    raise SystemExit(status)


@main.command("smoke")
def check() -> None:
    """Compute a small known problem with a real process, and check the answer."""
    from app_tier.smoke import SmokeFailed, smoke  # noqa: PLC0415 - see above

    try:
        echo(f"smoke test passed: {smoke()}")
    except SmokeFailed as error:
        echo(f"smoke test failed: {error}", err=True)
        raise SystemExit(1) from error


def chosen_ports(settings: Settings, pool: ProcessPool) -> Ports:
    """The ports on AWS."""
    from app_tier.bench import Ports  # noqa: PLC0415 - see above
    from gridwell.adapters.aws import FEW_TRIES, client  # noqa: PLC0415
    from gridwell.adapters.clock import SERVICE_CLOCK  # noqa: PLC0415
    from gridwell.adapters.ledger_fleet import DynamoFleetLedger  # noqa: PLC0415
    from gridwell.adapters.ledger_jobs import DynamoJobLedger  # noqa: PLC0415
    from gridwell.adapters.s3 import S3Store  # noqa: PLC0415
    from gridwell.adapters.sqs import SqsQueue  # noqa: PLC0415

    # The worker tries again at its next step, and its watchdog waits for no call for long.
    sqs, dynamodb, s3 = (client(name, tries=FEW_TRIES) for name in ("sqs", "dynamodb", "s3"))
    return Ports(
        chunks=SqsQueue(sqs, settings.chunks),
        results=SqsQueue(sqs, settings.results),
        store=S3Store(s3, settings.bucket),
        jobs=DynamoJobLedger(dynamodb, settings.table),
        fleet=DynamoFleetLedger(dynamodb, settings.table, settings.fleet),
        compute=pool,
        clock=SERVICE_CLOCK,
        chance=random.random,
    )


def _work(settings: Settings, pool: ProcessPool, orders: _Orders) -> int:
    from app_tier.loop import work as loop  # noqa: PLC0415 - see above
    from app_tier.watchdog import Contact, Notifier, watched  # noqa: PLC0415
    from app_tier.worker import Habits, Worker  # noqa: PLC0415
    from gridwell import __version__  # noqa: PLC0415

    ports = chosen_ports(settings, pool)
    habits = Habits(
        worker=settings.worker_id,
        version=__version__,
        cores=settings.cores,
        poll_seconds=settings.poll_seconds,
        idle_polls=settings.idle_polls,
        minimum_uptime=settings.minimum_uptime_seconds,
        run=secrets.token_hex(8),
    )
    notifier = Notifier(os.environ.get("NOTIFY_SOCKET"), ports.clock)
    contact = Contact(ports.clock, settings.progress_file)
    worker = Worker(watched(ports, notifier, contact), habits)
    orders.follow(worker)
    logger.info(
        "worker %s takes chunks from %s with %d processes",
        habits.worker,
        settings.chunks,
        len(pool.processes()),
        extra={"action": "worker.started"},
    )
    return loop(worker, notifier, contact, unreachable_seconds=settings.unreachable_seconds).value
