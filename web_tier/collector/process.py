"""Run the collector: iterate, log each iteration, back off during outages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import JobState
from web_tier.collector.heartbeat import BEAT_SECONDS
from web_tier.collector.loop import RECONCILE_SECONDS, CollectorLoop, RefusedObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.ports import Clock
    from web_tier.collector.collector import Collected, Collector
    from web_tier.collector.finisher import ObjectRefusal
    from web_tier.collector.loop import CollectorReport
    from web_tier.collector.reconciler import Reconciler

logger = logging.getLogger(__name__)


def run(
    collector: Collector,
    reconciler: Reconciler,
    *,
    clock: Clock,
    stopping: Callable[[], bool],
    jitter: Callable[[], float],
    reconcile_seconds: float = RECONCILE_SECONDS,
    beat: Callable[[int], None] = lambda _: None,
    refused: Callable[[int], None] = lambda _: None,
) -> None:
    """Collect and reconcile until told to stop.

    Args:
        collector: takes results from their queue.
        reconciler: looks after the jobs that were left behind.
        clock: for the pauses.
        stopping: asked between iterations.
        jitter: see `CollectorLoop`.
        reconcile_seconds: the interval between the reconciler's rounds.
        beat: leaves a sign of life, with the number of results merged so far.
        refused: hears how many reports each step refused.

    Raises:
        RefusedObject: if a service refuses every call: a supervisor starts the program again.
    """
    turns = CollectorLoop(
        collector, reconciler, clock=clock, jitter=jitter, reconcile_seconds=reconcile_seconds
    )
    next_beat = clock.monotonic()
    merged = 0
    while not stopping():
        try:
            turn = turns.step()
        except RefusedObject as error:
            _log_turn(error.turn)
            _log_denials(collector, reconciler)
            raise
        _log_turn(turn)
        _log_denials(collector, reconciler)
        if turn.collected is not None:
            merged += turn.collected.merged
            refused(len(turn.collected.refused))
            # After a step, and not from a thread: one that hangs shall not look alive.
            if clock.monotonic() >= next_beat:
                next_beat = clock.monotonic() + BEAT_SECONDS
                _leave(beat, merged)
        if turn.busy is not None:
            logger.warning(
                "a service is away, trying again in %g s: %s",
                turn.pause,
                turn.busy,
                extra={"action": "collect.busy"},
            )
            clock.sleep(turn.pause)


def _log_turn(turn: CollectorReport) -> None:
    if turn.collected is not None:
        _log_collected(turn.collected)
    for done in turn.reconciled:
        logger.info(
            "job %s: reconciled (%s)",
            done.job,
            done.did,
            extra={"action": "job.reconciled", "job": done.job, "did": done.did},
        )


def _log_denials(collector: Collector, reconciler: Reconciler) -> None:
    """Log each refusal once, however often it comes again."""
    for denials in (collector.denials, reconciler.denials):
        for job, why in denials.unlogged():
            logger.error(
                "a service refuses what job %s needs, which is tried until its deadline: %s",
                job,
                why,
                extra={"action": "job.denied", "job": job},
            )


def log_refusal(refusal: ObjectRefusal) -> None:
    """Log an answer that was proved wrong, and who reported it."""
    workers = " or ".join(refusal.workers) or "an unknown worker"
    logger.error(
        "job %s, attempt %s: what %s reported is wrong: %s; the attempt is discarded, check that "
        "machine",
        refusal.job.id,
        refusal.job.attempt,
        workers,
        refusal.why,
        extra={"action": "answer.refused", "job": refusal.job.id, "workers": refusal.workers},
    )


def _leave(beat: Callable[[int], None], merged: int) -> None:
    """Leave a sign of life; one that is lost costs nothing, the next one follows."""
    try:
        beat(merged)
    except ServiceBusy as error:
        logger.warning("no sign of life left: %s", error, extra={"action": "collect.beat"})


def _log_collected(collected: Collected) -> None:
    for job in collected.ended:
        if job.state is JobState.DONE:
            logger.info(
                "job %s is done",
                job.id,
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
    if collected.refused:
        # One line for a step: whoever floods the queue shall not flood the log.
        first, more = collected.refused[0], len(collected.refused) - 1
        logger.error(
            "a report was refused: %s%s",
            first,
            f" (and {more} more)" if more else "",
            extra={"action": "result.refused", "count": len(collected.refused)},
        )
    for why in collected.postponed:
        logger.warning("results stay queued: %s", why, extra={"action": "result.postponed"})
