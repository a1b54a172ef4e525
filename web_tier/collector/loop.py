"""The iterations of the collector's process: what is due, in its order.  No sleep, no log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceBusy, ServiceDenied

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridwell.engine.ports import Clock
    from web_tier.collector.collector import Collected, Collector
    from web_tier.collector.dead_letters import Reconciled
    from web_tier.collector.reconciler import Reconciler

RECONCILE_SECONDS: Final = 30.0
BUSY_SECONDS: Final = 1.0  #: delay after a failed iteration: an outage is no busy loop


@dataclass(slots=True)
class CollectorReport:
    """What one iteration did."""

    collected: Collected | None = None  #: None: results could not be received
    reconciled: list[Reconciled] | tuple[()] = ()
    busy: ServiceBusy | None = None  #: why the iteration ended early, if it did

    @property
    def pause(self) -> float:
        """Seconds to wait before the next iteration."""
        return 0.0 if self.busy is None else BUSY_SECONDS


class RefusedObject(ServiceDenied):
    """A service refuses every call, and not only those of single jobs.

    Args:
        error: what it said.
        turn: what was done all the same.
    """

    def __init__(self, error: ServiceDenied, turn: CollectorReport) -> None:
        self.turn = turn
        super().__init__(str(error), code=error.code)


class CollectorLoop:
    """Collects at every iteration, and reconciles now and then.

    Args:
        collector: takes results from their queue.
        reconciler: looks after the jobs that were left behind.
        clock: says when a round is due.
        jitter: a number around 1 by which each interval is multiplied, so that several such
            processes do not reconcile in step.
        reconcile_seconds: the interval between the reconciler's rounds.
    """

    def __init__(
        self,
        collector: Collector,
        reconciler: Reconciler,
        *,
        clock: Clock,
        jitter: Callable[[], float],
        reconcile_seconds: float = RECONCILE_SECONDS,
    ) -> None:
        self._collector = collector
        self._reconciler = reconciler
        self._clock = clock
        self._jitter = jitter
        self._seconds = reconcile_seconds
        self._next_round = clock.monotonic()

    def step(self) -> CollectorReport:
        """Make one iteration; it lasts as long as the collector's poll.

        What is refused of single jobs ends nothing.  After such a refusal a call that is of no
        job is made: if that is refused too, the process can do nothing and shall end.

        Raises:
            RefusedObject: if a service refuses every call; all that could be done was done before.
        """
        turn = CollectorReport()
        before = self._denied
        refused: list[ServiceDenied] = []
        try:
            turn.collected = self._collector.step()
        except ServiceBusy as error:
            turn.busy = error
        except ServiceDenied as error:
            refused.append(error)
        # Also while no results can be read: jobs must end.
        if self._clock.monotonic() >= self._next_round:
            self._next_round = self._clock.monotonic() + self._seconds * self._jitter()
            try:
                turn.reconciled = self._reconciler.step()
            except ServiceBusy as error:
                turn.busy = error
            except ServiceDenied as error:
                refused.append(error)
        if not refused and self._denied != before:
            try:
                self._collector.probe()
            except ServiceBusy as error:
                turn.busy = error
            except ServiceDenied as error:
                refused.append(error)
        if refused:
            raise RefusedObject(refused[0], turn) from refused[0]
        return turn

    @property
    def _denied(self) -> int:
        """Return how much was refused of single jobs so far."""
        return self._collector.denials.count + self._reconciler.denials.count
