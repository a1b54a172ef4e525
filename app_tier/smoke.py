"""A small known problem through a real compute process: does this installation compute?"""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from app_tier.compute import ChunkTask, Outcome
from app_tier.pool import ProcessPool
from gridwell.domain.atoms import random_atoms
from gridwell.domain.grid import Grid
from gridwell.domain.messages import MINIMUM_KIND
from gridwell.domain.potential import least
from gridwell.domain.problem import Problem

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
    grid = Grid.cube(10)
    problem = Problem(grid, random_atoms(100, seed=1, grid=grid), min_distance=0.25)
    task = ChunkTask(
        ticket=1,
        kind=MINIMUM_KIND,
        problem=problem.sha,
        data=problem.encode(),
        box=grid.box,
        incumbent=None,
    )
    every_point = np.arange(grid.points, dtype=np.int64)
    expected = least(grid, problem.atoms, every_point, min_distance=problem.min_distance)
    with ProcessPool(1) as pool:
        pool.submit(task)
        outcome = _awaited(pool)
    if outcome.error is not None:
        raise SmokeFailed(f"the compute process failed: {outcome.error}")
    if outcome.best != expected:
        raise SmokeFailed(f"the kernel found {outcome.best}, every point gives {expected}")
    return f"found {outcome.best} in {outcome.seconds * 1000:.0f} ms, as every point gives"


def _awaited(pool: ProcessPool) -> Outcome:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        pool.wait(1.0)
        if outcomes := pool.finished():
            return outcomes[0]
    raise SmokeFailed(f"no outcome after {_SECONDS:.0f} seconds")
