"""A small known problem through a real compute process: does this installation compute?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

from app_tier.executor.pool import ProcessPool
from app_tier.kinds.grid.self_test import KNOWN_ANSWER, flaw_of, known_problem, known_task
from gridwell.kinds.grid.potential import least

if TYPE_CHECKING:
    from app_tier.executor.port import TaskOutcome

_SECONDS: Final = 60.0


class SmokeFailed(Exception):  # noqa: N818 - named for what happened
    """The installation does not compute as it must."""


def smoke() -> str:
    """Compute the problem, and check it against the canonical value of every point.

    Returns:
        What was found, for people.

    Raises:
        SmokeFailed: with what went wrong.
    """
    problem = known_problem()
    grid = problem.grid
    every_point = np.arange(grid.points, dtype=np.int64)
    expected = least(grid, problem.atoms, every_point, min_distance=problem.min_distance)
    if expected != KNOWN_ANSWER:
        raise SmokeFailed(f"every point gives {expected}, the answer is {KNOWN_ANSWER}")
    with ProcessPool(1) as pool:
        pool.submit(known_task(1))
        outcome = _awaited(pool)
    if flaw := flaw_of(outcome):
        raise SmokeFailed(flaw)
    return f"found {outcome.best} in {outcome.seconds * 1000:.0f} ms, as every point gives"


def _awaited(pool: ProcessPool) -> TaskOutcome:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        pool.wait(1.0)
        if outcomes := pool.finished():
            return outcomes[0]
    raise SmokeFailed(f"no outcome after {_SECONDS:.0f} seconds")
