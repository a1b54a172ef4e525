"""Problems whose every chunk's minimum is known, so that the loop needs no kernel."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.domain.atoms import Atoms
from gridwell.domain.grid import Box, Grid
from gridwell.domain.minimum import Minimum, lesser
from gridwell.domain.problem import Problem
from tests.oracle import true_value
from web_tier.fresh import fresh_job

if TYPE_CHECKING:
    from gridwell.domain.split import Plan

_TRIED: Final = 3  #: of each box, the lowest points by numpy; the oracle chooses among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A problem, and all that a kernel would find out.

    Chunks answer their own minimum, though a kernel may answer a lesser incumbent: so the answer
    hangs on one chunk, and losing that one shows.
    """

    problem: Problem
    plan: Plan  #: as submit will cut it
    minima: dict[Box, Minimum | None]  #: None: no point of the box qualifies
    least: Minimum


@functools.cache
def known_problems() -> dict[str, Known]:
    """Problems by sha: of one chunk, of eight, and one with chunks in which nothing qualifies."""
    large, long = Grid.cube(32), Grid((0.0, 0.0, 0.0), (0.5, 1.0, 1.0), (2, 3, 5500))
    small = Grid.cube(3)
    made = [
        Problem(small, Atoms.from_rows(((0.3, 0.2, 0.9, -1.0),))),
        Problem(small, Atoms.from_rows(((1.7, 1.6, 0.4, 2.0), (0.1, 0.2, 0.3, -0.5)))),
        Problem(large, Atoms.from_rows(((4.3, 9.2, 30.9, -1.0), (20.1, 3.3, 7.7, -0.4)))),
        Problem(large, Atoms.from_rows(((17.2, 16.4, 3.1, 1.5),))),
        Problem(long, Atoms.from_rows(((0.2, 1.3, 4100.3, -2.0),))),
        Problem(large, Atoms.from_rows(((7.6, 7.4, 7.3, -3.0),)), min_distance=15.0),
    ]
    return {problem.sha: _known(problem) for problem in made}


def _known(problem: Problem) -> Known:
    plan = fresh_job(problem, "0" * 16, "public", None, None, 0.0).plan
    minima = {plan.box(chunk): _least(problem, plan.box(chunk)) for chunk in range(plan.chunks)}
    least = functools.reduce(lesser, minima.values())
    assert least is not None
    return Known(problem=problem, plan=plan, minima=minima, least=least)


def _least(problem: Problem, box: Box) -> Minimum | None:
    grid = problem.grid
    axes = [grid.axis(k)[box.low[k] : box.high[k]] for k in range(3)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    total = np.zeros(x.shape)
    for ax, ay, az, energy in problem.atoms.rows().tolist():
        r2 = (x - ax) ** 2 + (y - ay) ** 2 + (z - az) ** 2
        total += energy / np.sqrt(r2)
        total[r2 < problem.min_distance**2] = np.inf
    best: Minimum | None = None
    for place in np.argsort(total, axis=None)[:_TRIED]:
        offset = np.unravel_index(place, total.shape)
        ix, iy, iz = (int(offset[k]) + box.low[k] for k in range(3))
        value = true_value(problem, (ix, iy, iz))
        if value is not None:
            best = lesser(best, Minimum(value, grid.linear(ix, iy, iz)))
    return best
