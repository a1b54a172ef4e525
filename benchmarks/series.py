"""What series cost: CPU seconds of one process beside the estimate of `gridwell.kinds.grid.cost`.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.series

Signed random atoms.  CPU time and not the clock's, so that a machine with other work measures
nearly the same.  Each line has the measured and the estimated seconds, and the latter over the
former, which should lie between a half and one and a half.
"""

from __future__ import annotations

import itertools
import sys
import time
from typing import TYPE_CHECKING, Final

from app_tier.kinds.grid.runners import SERIES
from gridwell.kinds.grid import cost
from gridwell.kinds.grid.atoms import random_atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIDES: Final = (16, 32, 64, 128)
_ATOMS: Final = (100, 1000, 10_000)
_COUNTS: Final = (1, 6, 20)
_LONGEST: Final = 15.0  #: estimated seconds; longer ones are left out
_LEAST, _MOST = 0.5, 1.5  #: an estimate over what was measured
_PLACE, _TOP = "place", "top"


def _problem(side: int, atoms: int, count: int, kind: str) -> Problem:
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (side, side, side))
    placed = kind == _PLACE
    return Problem(
        grid=grid,
        atoms=random_atoms(atoms, seed=1, grid=grid),
        min_distance=2.0 if placed else 0.0,
        softening=0.0,
        series=Series(count, 5.0, 1) if placed else Series(count, 3.0),
    )


def _cases() -> Iterator[tuple[int, int, int, str]]:
    for case in itertools.product(_SIDES, _ATOMS, _COUNTS, (_PLACE, _TOP)):
        if case[2:] != (1, _TOP):  # that is no series
            yield case


def main() -> int:
    """Measure, print, and say how many estimates were far off."""
    ratios = []
    _say("kind   side  atoms  points   measured  estimated  ratio  how")
    for side, atoms, count, kind in _cases():
        problem = _problem(side, atoms, count, kind)
        shape, series, distance = problem.grid.shape, problem.series, problem.min_distance
        estimate = cost.seconds(shape, atoms, series=series, min_distance=distance)
        if series is None or estimate > _LONGEST:
            continue
        began = time.process_time()
        SERIES.search(problem, problem.grid.box, None, lambda _found: None)
        measured = time.process_time() - began
        ratios.append(estimate / measured)
        how = cost.is_summed(shape, atoms, series, min_distance=distance)
        _say(
            f"{kind:<5}{side:6}{atoms:7}{count:8}{measured:11.4f}{estimate:11.4f}"
            f"{ratios[-1]:7.2f}  {'summed' if how else 'searched'}"
        )
    far = sum(not _LEAST <= ratio <= _MOST for ratio in ratios)
    _say(f"{far} of {len(ratios)} estimates are more than a half off")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
