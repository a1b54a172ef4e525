"""Whatever the job, a compute process fills less than 300 MB: all of it, as the kernel counts.

Problems are of the most atoms, one after the other, as a worker may meet them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app_tier.executor.pool import ProcessPool
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.grid import Box, Grid
from gridwell.kinds.grid.limits import MAX_ATOMS
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from tests.app_tier.kinds.grid.kernels.memory import MOST, peak
from tests.harness.grid_tasks import RUNNERS, a_run_task

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="the peak is read in /proc: run on Linux"
    ),
]
LARGE, SMALL = Grid.cube(128), Grid.cube(6)
PART = Box((5, 5, 5), (9, 9, 9))


def tasks() -> Iterator[tuple[str, Problem, Box]]:
    mixed = random_atoms(MAX_ATOMS, seed=1, grid=LARGE)
    positive = random_atoms(MAX_ATOMS, seed=2, grid=LARGE, energy_range=(0.0, 1.0))
    equal = Atoms(mixed.positions, np.where(mixed.energies < 0, -1.0, 1.0))
    clustered = Atoms(5.0 + 1e-4 * mixed.positions, mixed.energies)
    fewer = random_atoms(MAX_ATOMS - 2, seed=3, grid=SMALL)
    yield MINIMUM_KIND, Problem(LARGE, positive), LARGE.box  # is searched
    yield MINIMUM_KIND, Problem(LARGE, mixed), PART
    yield MINIMUM_KIND, Problem(LARGE, equal, min_distance=0.01), PART
    yield MINIMUM_KIND, Problem(LARGE, clustered, softening=0.5), PART
    yield MAP_KIND, Problem(LARGE, mixed), PART
    yield SERIES_KIND, Problem(SMALL, fewer, series=Series(2, 1.0, -1)), SMALL.box


def test_a_compute_process_never_fills_more_than_300_megabytes() -> None:
    peaks = {}
    with ProcessPool(1, runners=RUNNERS) as pool:
        (process,) = pool.processes()
        for ticket, (kind, problem, box) in enumerate(tasks()):
            pool.submit(a_run_task(ticket, problem, box, kind=kind))
            while not (outcomes := pool.finished()):
                pool.wait(1.0)
            assert outcomes[0].error is None
            peaks[ticket] = peak(process)

    assert max(peaks.values()) < MOST, peaks
