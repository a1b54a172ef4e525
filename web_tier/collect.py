"""The loop of the collector's process: collects without pause, reconciles now and then."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from gridwell.domain.errors import ServiceBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.domain.ports import Clock
    from web_tier.collector import Collected, Collector
    from web_tier.reconciler import Reconciler

logger = logging.getLogger(__name__)

RECONCILE_SECONDS: Final = 30.0
_BUSY_SECONDS: Final = 1.0  #: pause after a failed step, so that an outage is no busy loop


def run(
    collector: Collector,
    reconciler: Reconciler,
    *,
    clock: Clock,
    stopping: Callable[[], bool],
    jitter: Callable[[], float],
    reconcile_seconds: float = RECONCILE_SECONDS,
) -> None:
    """Collect and reconcile until told to stop.

    Args:
        collector: takes results from their queue.
        reconciler: looks after the jobs that were left behind.
        clock: for the pauses.
        stopping: asked between steps.
        jitter: a number around 1 by which each interval is multiplied, so that several such
            processes do not reconcile in step.
        reconcile_seconds: the interval between the reconciler's rounds.
    """
    next_round = clock.monotonic()
    while not stopping():
        try:
            _log_collected(collector.step())
            if clock.monotonic() >= next_round:
                next_round = clock.monotonic() + reconcile_seconds * jitter()
                for done in reconciler.step():
                    logger.info(
                        "job %s: reconciled (%s)",
                        done.job,
                        done.did,
                        extra={"action": "job.reconciled", "job": done.job, "did": done.did},
                    )
        except ServiceBusy as error:
            logger.warning(
                "a service is away, trying again in %g s: %s",
                _BUSY_SECONDS,
                error,
                extra={"action": "collect.busy"},
            )
            clock.sleep(_BUSY_SECONDS)


def _log_collected(collected: Collected) -> None:
    for job in collected.ended:
        if job.result is not None:
            logger.info(
                "job %s is done: the minimum is %r at point %d",
                job.id,
                job.result.value,
                job.result.index,
                extra={"action": "job.done", "job": job.id},
            )
        elif job.error is not None:
            logger.warning(
                "job %s failed, %s: %s",
                job.id,
                job.error.code,
                job.error.detail,
                extra={"action": "job.failed", "job": job.id, "code": job.error.code},
            )
    for why in collected.failed:
        logger.warning("%s", why, extra={"action": "chunk.failed"})
    for why in collected.refused:
        logger.error("a report was refused: %s", why, extra={"action": "result.refused"})
    for why in collected.postponed:
        logger.warning("results stay queued: %s", why, extra={"action": "result.postponed"})
