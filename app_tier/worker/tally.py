"""Telling how far series are, for people who wait: at most once a second, and lost without harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from app_tier.worker.context import WorkerContext
    from app_tier.worker.step_report import StepReport

APART_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Reported:
    found: int
    at: float


class ProgressReports:
    """Tells the ledger how many points of each series in hand are found.

    A series that ends within a second is told of by its result alone, and costs no more than it
    did.

    Args:
        bench: what the worker works at.
    """

    def __init__(self, bench: WorkerContext) -> None:
        self._bench = bench
        self._told: dict[int, _Reported] = {}  #: by ticket

    def tell(self, step: StepReport) -> None:
        """Tell of the series that have moved."""
        bench = self._bench
        reported = bench.ports.compute.reported()
        moving = [held for held in bench.hand if reported.get(held.ticket)]
        self._told = {
            held.ticket: self._told.get(held.ticket, _Reported(0, held.lease.since))
            for held in moving
        }
        if not moving or bench.paused:
            return
        for held in moving:
            told, count = self._told[held.ticket], reported[held.ticket]
            if count <= told.found or bench.now - told.at < APART_SECONDS:
                continue
            # Before the try: a ledger that is busy is not asked again before the next second.
            self._told[held.ticket] = _Reported(count, bench.now)
            job, attempt = held.message.job, held.message.attempt
            try:
                bench.ports.jobs.report_progress(job, attempt, count, now=bench.ports.clock.now())
            except ServiceError as error:  # also one that denies it: a hint is worth no end
                step.note("untold", f"how far {held.name} is cannot be told: {error}")
