"""Comparison of a kept map with the answer of its job: neither may contradict the other.  Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gridwell.engine.errors import InvalidMessage
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.potential import potential

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gridwell.engine.job import Job
    from gridwell.kinds.grid.minimum import Minimum
    from gridwell.kinds.grid.problem import Problem


class MapCheck:
    """Compares the values of a map with the answer of its job.

    The value at the answer's point must be the answer's, and no value may be lower, but for what a
    map's rounding explains.  Values that only the whole bound of that rounding can judge are rare:
    for these the problem is read, and the canonical value of the point decides.

    Args:
        job: the job; one without a result is not compared.
        read_problem: reads the job's problem; its errors end the check.
    """

    def __init__(self, job: Job, read_problem: Callable[[], Problem]) -> None:
        self._job = job
        self._read_problem = read_problem
        #: A part of the rounding's bound: the magnitudes' sum is never less than the value.
        self._slack = _rounding(grid_view(job).atom_count)

    def check_slab(self, first: int, values: NDArray[np.float64]) -> None:
        """Check values that follow each other in C order.

        Args:
            first: the linear index of the first of them.
            values: float64 of any shape.

        Raises:
            InvalidMessage: if they contradict the answer.
        """
        best, flat = grid_view(self._job).result, values.reshape(-1)
        if best is None:
            return
        if first <= best.index < first + len(flat):
            self.check_answer(float(flat[best.index - first]))
        least = float(np.fmin.reduce(flat))  # not a number only where no point has a value
        if least < best.value - self._slack * abs(best.value):
            self._verify(first + int(np.flatnonzero(flat == least)[0]), least, best)

    def check_answer(self, value: float) -> None:
        """Check the value at the answer's point; errors as of `check_slab`."""
        best = grid_view(self._job).result
        if best is not None and not abs(value - best.value) <= self._slack * abs(best.value):
            self._verify(best.index, value, best)

    def _verify(self, index: int, value: float, best: Minimum) -> None:
        """Check a value of the map, and the answer, by the canonical value of the point."""
        if math.isfinite(value) and self._agrees(index, value, best):
            return
        raise InvalidMessage(
            f"the stored map of job {self._job.id} contradicts its answer: it has {value!r} at "
            f"point {index}, and the answer is {best.value!r} at point {best.index}; no more of "
            f"the map is served, check worker {self._reporters(index)}"
        )

    def _agrees(self, index: int, value: float, best: Minimum) -> bool:
        problem = self._read_problem()
        true = potential(
            problem.grid,
            problem.atoms,
            index,
            min_distance=problem.min_distance,
            softening=problem.softening,
        )
        if true is None or true < best.value:
            return False
        return abs(value - true) <= self._slack * _magnitude(problem, index)

    def _reporters(self, index: int) -> str:
        chunk = grid_view(self._job).chunking.chunk_at(grid_view(self._job).grid.triple(index))
        return " or ".join(self._job.reporters(chunk)) or "unknown"


def _rounding(atoms: int) -> float:
    """Return the bound of a map's rounding, as a multiple of the sum of the terms' magnitudes.

    See `app_tier.kinds.grid.kernels.sum.row_sums`, which derives it.
    """
    return 2.0 * (atoms + 8) * 2.0**-53


def _magnitude(problem: Problem, index: int) -> float:
    """Return the sum of the magnitudes of a point's terms."""
    differences = problem.atoms.positions - np.array(problem.grid.point(index))
    distances = np.sqrt(np.square(differences).sum(axis=1))
    return float((np.abs(problem.atoms.energies) / np.maximum(distances, problem.softening)).sum())
