"""The app tier's commands.  Only here are settings read and adapters chosen.

Imports wait for the command that needs them: the compute processes start first, and load numpy
while this one loads boto3.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import random
import secrets
import signal
from typing import TYPE_CHECKING, Final

import click

from gridwell.program.commands import echo

if TYPE_CHECKING:
    from app_tier.executor.pool import ProcessPool
    from app_tier.settings import Settings
    from app_tier.worker.context import WorkerPorts
    from app_tier.worker.worker import Worker

logger = logging.getLogger(__name__)

UNFIT_TEXT: Final = 300  #: characters of the reason
#: The importable name of the kinds of work, for the worker and its compute processes.
RUNNERS: Final = "app_tier.kinds.registry:RUNNERS"


class _Orders:
    """An order to stop, which may come before there is a worker."""

    def __init__(self) -> None:
        self._stops = False
        self._worker: Worker | None = None

    def stop(self, *_: object) -> None:
        """Handle a signal."""
        self._stops = True
        if self._worker is not None:
            self._worker.stop()

    def follow(self, worker: Worker) -> None:
        """Stop a worker at the next order, or now if there was one."""
        self._worker = worker
        if self._stops:
            worker.stop()


@click.group()
def main() -> None:
    """The app tier: computes chunks until there are none.

    Exit codes: 0 done (for `work`: the queue is idle, and nothing else), 1 failed, 2 wrong usage
    or settings.  69: the queues have not answered for long.  71: this machine is not fit to
    compute.  75: a signal stopped it.
    """


@main.command()
def work() -> None:
    """Compute chunks from the queue until it stays empty."""
    from app_tier.executor.pool import ProcessPool  # noqa: PLC0415 - see above
    from app_tier.settings import Settings  # noqa: PLC0415
    from gridwell.program.logs import log_to_stderr  # noqa: PLC0415
    from gridwell.program.settings import read_settings  # noqa: PLC0415

    settings = read_settings(Settings)
    orders = _Orders()
    for name in (signal.SIGTERM, signal.SIGINT):
        # Early: to systemd death by SIGTERM is a clean end, and a clean end powers off.
        signal.signal(name, orders.stop)
    log_to_stderr()
    try:
        with ProcessPool(settings.cores, runners=RUNNERS) as pool:
            status = _attempt(settings, pool, orders)
    except OSError as error:
        # No folder for its files, or no processes: nothing can be computed here.
        status = _unfit(settings, f"compute processes cannot be set up: {error!r}")
    raise SystemExit(status)


def _attempt(settings: Settings, pool: ProcessPool, orders: _Orders) -> int:
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415 - see above

    from gridwell.engine.errors import ServiceDenied  # noqa: PLC0415

    try:
        return _work(settings, pool, orders)
    except ServiceDenied as error:
        logger.critical(
            "a service refuses us: %s", error, extra={"action": "worker.service_denied"}
        )
        return 1
    except (BrokenProcessPool, TimeoutError) as error:
        return _unfit(settings, f"compute processes do not start: {error!r}")


def _unfit(settings: Settings, reason: str) -> int:
    """Report a machine that cannot even begin to work; returns the exit status."""
    import time  # noqa: PLC0415 - see above

    from app_tier.worker.step_report import WorkerExit  # noqa: PLC0415
    from gridwell import __version__  # noqa: PLC0415
    from gridwell.adapters.aws.client import FEW_TRIES, client  # noqa: PLC0415
    from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger  # noqa: PLC0415
    from gridwell.engine.errors import ServiceError  # noqa: PLC0415
    from gridwell.fleet.model import Heartbeat  # noqa: PLC0415

    logger.critical(
        "this machine takes no work: %s; `python -m app_tier smoke` says more",
        reason,
        extra={"action": "worker.unfit"},
    )
    heartbeat = Heartbeat(
        worker=settings.worker_id,
        at=time.time(),
        busy=0,
        draining=True,
        chunks=0,
        seconds=0.0,
        version=__version__,
        unfit=reason[:UNFIT_TEXT],
    )
    try:
        dynamodb = client("dynamodb", tries=FEW_TRIES)
        DynamoFleetLedger(dynamodb, settings.table, settings.fleet).beat(heartbeat)
    except ServiceError:
        # Switched off without a report it counts as a boot that failed, which ends the same way.
        logger.exception(
            "the ledger did not take the report", extra={"action": "worker.unreported"}
        )
    return WorkerExit.UNFIT.value


@main.command("smoke")
def check() -> None:
    """Compute known tasks with a real process, and check the answers."""
    from app_tier.executor.smoke import SmokeFailed, smoke  # noqa: PLC0415 - see above

    try:
        echo(f"smoke test passed: {smoke(RUNNERS)}")
    except SmokeFailed as error:
        echo(f"smoke test failed: {error}", err=True)
        raise SystemExit(1) from error


def chosen_ports(settings: Settings, pool: ProcessPool) -> WorkerPorts:
    """Return the worker's ports on AWS."""
    from app_tier.worker.context import WorkerPorts  # noqa: PLC0415 - see above
    from app_tier.worker.machine_check import MachineCheck  # noqa: PLC0415
    from gridwell.adapters.aws.client import FEW_TRIES, client  # noqa: PLC0415
    from gridwell.adapters.aws.s3 import S3Store  # noqa: PLC0415
    from gridwell.adapters.aws.sqs import SqsQueue  # noqa: PLC0415
    from gridwell.adapters.dynamodb.fleet_ledger import DynamoFleetLedger  # noqa: PLC0415
    from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger  # noqa: PLC0415
    from gridwell.adapters.system_clock import SERVICE_CLOCK  # noqa: PLC0415

    # The worker tries again at its next step, and its watchdog waits for no call for long.
    sqs, dynamodb, s3 = (client(name, tries=FEW_TRIES) for name in ("sqs", "dynamodb", "s3"))
    return WorkerPorts(
        chunks=SqsQueue(sqs, settings.chunks),
        results=SqsQueue(sqs, settings.results),
        store=S3Store(s3, settings.bucket),
        jobs=DynamoJobLedger(dynamodb, settings.table),
        fleet=DynamoFleetLedger(dynamodb, settings.table, settings.fleet),
        compute=pool,
        runners=pkgutil.resolve_name(RUNNERS),
        clock=SERVICE_CLOCK,
        chance=random.random,
        skew=lambda: SERVICE_CLOCK.skew,
        check=MachineCheck(
            folder=pool.folder,
            free_bytes=settings.min_free_mebibytes << 20,
            memory_bytes=settings.min_memory_mebibytes << 20,
        ),
    )


def _work(settings: Settings, pool: ProcessPool, orders: _Orders) -> int:
    from app_tier.worker.liveness import Contact, Notifier, watched  # noqa: PLC0415
    from app_tier.worker.loop import work as loop  # noqa: PLC0415 - see above
    from app_tier.worker.worker import Worker, WorkerConfig  # noqa: PLC0415
    from gridwell import __version__  # noqa: PLC0415

    ports = chosen_ports(settings, pool)
    habits = WorkerConfig(
        worker=settings.worker_id,
        version=__version__,
        cores=settings.cores,
        poll_seconds=settings.poll_seconds,
        idle_polls=settings.idle_polls,
        minimum_uptime=settings.minimum_uptime_seconds,
        run=secrets.token_hex(8),
        self_test=True,
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
