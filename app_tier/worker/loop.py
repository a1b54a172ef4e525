"""The loop around a worker's steps: it logs their notes, and ends when it must.

Apart from `app_tier.worker.worker`, which writes no log, so that a simulator can take its steps.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from app_tier.worker.step_report import WorkerExit

if TYPE_CHECKING:
    from app_tier.worker.liveness import Contact, Notifier
    from app_tier.worker.worker import Worker

logger = logging.getLogger(__name__)


def work(
    worker: Worker, notifier: Notifier, contact: Contact, *, unreachable_seconds: float
) -> WorkerExit:
    """Take steps until the worker ends, and return the reason.

    Args:
        worker: takes them.
        notifier: feeds systemd's watchdog.
        contact: holds the time of the queues' last answer.
        unreachable_seconds: after so long without an answer the worker ends.

    Raises:
        ServiceDenied: see `Worker.step`.
    """
    notifier.ready()
    while True:
        notifier.alive()
        try:
            step = worker.step()
        except OSError as error:
            # Of the machine: ports turn the network's errors into ours.
            logger.critical(
                "this machine fails: %r", error, exc_info=error, extra={"action": "worker.failed"}
            )
            worker.condemn(f"a step of the worker failed: {error!r}")
            step = worker.step()
        for note in step.notes:
            level = logging.WARNING if note.serious else logging.INFO
            logger.log(level, "%s", note.text, extra={"action": note.action})
        if step.exit is not None:
            notifier.stopping()
            return step.exit
        if contact.silence > unreachable_seconds:
            logger.critical(
                "the queues have not answered for %.0f s; this machine is of no use",
                contact.silence,
                extra={"action": "worker.unreachable"},
            )
            notifier.stopping()
            return WorkerExit.UNREACHABLE
