"""Whether a machine is fit to compute, judged by failures in a row.  Pure.

Failures in a row may be the machine's fault or that of what it was given.  So a machine first tests
itself.  One that fails the test is unfit; so is one that passes it again and again while chunks of
several jobs go on to fail: a single bad job must not take machines away.
"""

from __future__ import annotations

from typing import Final

from gridwell.engine.task_failure import MACHINE_FAILED, PROCESS_DIED, RAISED, STUCK

ROW: Final = 3  #: failures in a row after which a machine tests itself
PASSED_TESTS: Final = 2  #: after so many in vain the next row makes it unfit
DISTINCT_JOBS: Final = 3  #: if its failures are of so many jobs
#: What may lie in the machine.  A problem that is missing or refused does not.
_COUNTED: Final = frozenset({MACHINE_FAILED, PROCESS_DIED, RAISED, STUCK})


class Fitness:
    """Failures in a row, and what follows from them.

    Args:
        tests: whether the machine is tested, at the start and after failures in a row.  Without
            tests only failures of several jobs make it unfit.
    """

    def __init__(self, *, tests: bool = False) -> None:
        self.unfit = ""  #: why this machine must take no more work; empty: it may
        self._due = tests
        self._is_tested = tests
        self._failures = 0  #: since the last success or test
        self._tests = 0  #: passed since the last success
        self._jobs: set[str] = set()  #: that failed since the last success
        self._last = ""

    @property
    def due(self) -> bool:
        """Return whether the machine must pass a test before it takes more work."""
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

    def failed_test(self, why: str) -> None:
        """Note that the self-test failed."""
        row = f"{self.row} ({self._last}), and " if self._failures else ""
        self.condemn(f"{row}its self-test failed: {why}")

    def condemn(self, why: str) -> None:
        """Take no more work; the first reason stays."""
        self.unfit = self.unfit or why
