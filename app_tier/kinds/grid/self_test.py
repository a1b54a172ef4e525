"""A machine's test of itself: a computation whose answer is known, and disk and memory."""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING, Final

from app_tier.executor.port import ChunkTask
from gridwell.engine.messages import MINIMUM_KIND
from gridwell.kinds.grid.atoms import random_atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from app_tier.executor.port import Executor, TaskOutcome

TEST_SECONDS: Final = 60.0  #: a machine that takes longer hangs
#: The answer to the test's problem, bit for bit.  Not computed here: a machine that computes wrong
#: would do so twice.
KNOWN_ANSWER: Final = Minimum.from_key("3fee7402e93845250000000000000180")


@cache
def known_problem() -> Problem:
    """Return the problem that a test computes: milliseconds of work."""
    grid = Grid.cube(10)
    return Problem(grid, random_atoms(100, seed=1, grid=grid), min_distance=0.25)


@cache
def _stored() -> tuple[str, bytes]:
    problem = known_problem()
    return problem.sha, problem.encode()


def known_task(ticket: int) -> ChunkTask:
    """Return the computation of a test.

    Args:
        ticket: its number for the compute port.
    """
    sha, data = _stored()
    return ChunkTask(
        ticket=ticket,
        kind=MINIMUM_KIND,
        problem=sha,
        data=data,
        box=known_problem().grid.box,
        incumbent=None,
    )


def flaw_of(outcome: TaskOutcome) -> str:
    """Return why the outcome of a test's computation is wrong; empty: it is right."""
    if outcome.error is not None:
        return f"the compute process failed: {outcome.error}"
    if outcome.best != KNOWN_ANSWER:
        return f"the kernel found {outcome.best}, the answer is {KNOWN_ANSWER}"
    return ""


class SelfTest:
    """One test after the other, beside the steps of a worker.

    Args:
        compute: what is tested.
        cores: how many computations run at a time; each is tested.
        check: looks at disk and memory: what is wrong with them; empty: nothing.
    """

    def __init__(self, compute: Executor, *, cores: int, check: Callable[[], str]) -> None:
        self._compute = compute
        self._cores = cores
        self._check = check
        self._tickets = itertools.count(-1, -1)  # a worker's chunks count from 1 upwards
        self._open: set[int] = set()
        self._ends = 0.0
        self._flaw = ""

    @property
    def running(self) -> bool:
        """Return whether a test has begun, and its result is not taken."""
        return self._ends > 0

    def begin(self, now: float) -> None:
        """Begin a test; `now` is the time by the monotonic clock."""
        self._ends = now + TEST_SECONDS
        self._flaw = self._check()
        if self._flaw:
            return
        for _ in range(self._cores):
            ticket = next(self._tickets)
            self._open.add(ticket)
            self._compute.submit(known_task(ticket))

    def take(self, outcome: TaskOutcome) -> bool:
        """Take the outcome of a computation; False: it is none of a test's."""
        if outcome.ticket >= 0:
            return False
        if outcome.ticket in self._open:
            self._open.remove(outcome.ticket)
            self._flaw = self._flaw or flaw_of(outcome)
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
