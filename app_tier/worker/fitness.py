"""The fitness of a machine: failures in a row, and its test of itself.

Failures in a row may be the fault of the machine or of its work.  So a machine first tests itself.
One that fails the test is unfit.  So is one that passes it again and again while chunks of several
jobs go on to fail: a single bad job must not take machines away.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from gridwell.engine.task_failure import MACHINE_FAILED, PROCESS_DIED, RAISED, STUCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app_tier.executor.port import Executor, KnownTask, TaskOutcome

ROW: Final = 3  #: failures in a row after which a machine tests itself
PASSED_TESTS: Final = 2  #: after so many in vain the next row makes it unfit
DISTINCT_JOBS: Final = 3  #: if its failures are of so many jobs
TEST_SECONDS: Final = 60.0  #: a machine whose test takes longer hangs
#: Failures that may lie in the machine.  A problem that is missing or refused does not.
_COUNTED: Final = frozenset({MACHINE_FAILED, PROCESS_DIED, RAISED, STUCK})


class Fitness:
    """Failures in a row, and the verdict on the machine.

    Args:
        tests: whether the machine is tested, at the start and after failures in a row.  Without
            tests only failures of several jobs make it unfit.
    """

    def __init__(self, *, tests: bool = False) -> None:
        self.unfit = ""  #: the reason to take no more work; empty: there is none
        self._due = tests
        self._is_tested = tests
        self._failures = 0  #: since the last success or test
        self._tests = 0  #: passed since the last success
        self._jobs: set[str] = set()  #: that failed since the last success
        self._last = ""

    @property
    def due(self) -> bool:
        """True if the machine must pass a test before it takes more work."""
        return self._due and not self.unfit

    @property
    def row(self) -> str:
        """The failures that made a test due, for people; empty: it is the one at the start."""
        return f"{self._failures} computations failed in a row" if self._failures else ""

    def failed(self, job: str, code: str, text: str) -> None:
        """Count a failed try."""
        if code not in _COUNTED:
            return
        self._failures += 1
        self._last = text
        if len(self._jobs) < DISTINCT_JOBS:
            self._jobs.add(job)
        if self._failures < ROW:
            return
        self._due = self._is_tested
        if self._tests >= PASSED_TESTS and len(self._jobs) >= DISTINCT_JOBS:
            count = self._tests * ROW + self._failures
            passes = ", though its self-test passes" if self._is_tested else ""
            self.condemn(
                f"{count} computations of {DISTINCT_JOBS} or more jobs failed in a row{passes}; "
                f"the last: {text}"
            )
        elif not self._is_tested:
            self.passed()

    def succeeded(self) -> None:
        """Forget all failures: the machine computes."""
        self._failures = self._tests = 0
        self._jobs.clear()
        self._due = False

    def passed(self) -> None:
        """Note that the self-test passed."""
        self._tests += 1 if self._failures else 0
        self._failures = 0
        self._due = False

    def failed_test(self, reason: str) -> None:
        """Note that the self-test failed."""
        row = f"{self.row} ({self._last}), and " if self._failures else ""
        self.condemn(f"{row}its self-test failed: {reason}")

    def condemn(self, reason: str) -> None:
        """Take no more work; the first reason stays."""
        self.unfit = self.unfit or reason


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
