"""The loop around a worker's steps: logs what they say, feeds the watchdog, ends when told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app_tier.step import Exit
    from app_tier.watchdog import Notifier
    from app_tier.worker import Worker

logger = logging.getLogger(__name__)


def work(worker: Worker, notifier: Notifier) -> Exit:
    """Take steps until one says that the worker ends, and tell why it does.

    Raises:
        ServiceDenied: see `Worker.step`.
    """
    notifier.ready()
    while True:
        notifier.alive()
        step = worker.step()
        for note in step.notes:
            level = logging.WARNING if note.serious else logging.INFO
            logger.log(level, "%s", note.text, extra={"action": note.action})
        if step.exit is not None:
            notifier.stopping()
            return step.exit
