"""A machine's test of itself: tasks whose output is known, and a look at disk and memory."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app_tier.executor.port import Executor, KnownTask, TaskOutcome

TEST_SECONDS: Final = 60.0  #: a machine that takes longer hangs


class SelfTest:
    """One test after the other, beside the steps of a worker.

    Args:
        compute: the executor under test.
        known: tasks whose output is known; each runs once for each core.
        cores: how many tasks run at a time.
        check: returns what is wrong with disk and memory; empty: nothing.
    """

    def __init__(
        self,
        compute: Executor,
        known: Sequence[KnownTask],
        *,
        cores: int,
        check: Callable[[], str],
    ) -> None:
        self._compute = compute
        self._known = known
        self._cores = cores
        self._check = check
        self._tickets = itertools.count(-1, -1)  # a worker's tasks count from 1 upwards
        self._open: dict[int, KnownTask] = {}
        self._ends = 0.0
        self._flaw = ""

    @property
    def running(self) -> bool:
        """True if a test has begun, and its result is not taken."""
        return self._ends > 0

    def begin(self, now: float) -> None:
        """Begin a test; `now` is the time by the monotonic clock."""
        self._ends = now + TEST_SECONDS
        self._flaw = self._check()
        if self._flaw:
            return
        for known in self._known:
            for _ in range(self._cores):
                ticket = next(self._tickets)
                self._open[ticket] = known
                self._compute.submit(known.run_task(ticket))

    def take(self, outcome: TaskOutcome) -> bool:
        """Take the outcome of a task; False: the task is none of a test's."""
        if outcome.ticket >= 0:
            return False
        known = self._open.pop(outcome.ticket, None)
        if known is not None:
            self._flaw = self._flaw or known.flaw(outcome)
        return True

    def result(self, now: float) -> str | None:
        """Return what is wrong, once that is known; empty: nothing; None: the test goes on."""
        if not self._flaw and self._open and now >= self._ends:
            self._flaw = f"its computation did not end in {TEST_SECONDS:.0f} s"
        if self._open and not self._flaw:
            return None
        for ticket in self._open:
            self._compute.discard(ticket)
        self._open.clear()
        self._ends = 0.0
        flaw, self._flaw = self._flaw, ""
        return flaw
