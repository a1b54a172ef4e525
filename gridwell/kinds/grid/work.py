"""A problem as work for the engine: its tasks, its estimate, and why it may not be taken.  Pure."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

from gridwell.engine.errors import Fault, HopelessJob, InvalidJob
from gridwell.engine.kind import Ended, Work
from gridwell.kinds.grid import cost, limits
from gridwell.kinds.grid.answer import decode_answer
from gridwell.kinds.grid.chunking import Chunking, split
from gridwell.kinds.grid.feasibility import (
    NO_CANDIDATE_DETAIL,
    NO_CANDIDATE_POINT,
    has_no_candidate,
)
from gridwell.kinds.grid.job_view import grid_detail
from gridwell.kinds.grid.kind import ended
from gridwell.kinds.grid.likely_minimum import find_incumbent
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from gridwell.kinds.grid.series_points import flaw

if TYPE_CHECKING:
    from gridwell.kinds.grid.problem import Problem


def work_of(problem: Problem, *, kind: str = MINIMUM_KIND, seed: int | None = None) -> Work:
    """Return the work that a problem is.

    Args:
        problem: what is asked.
        kind: of job; one for a series has a kind of its own.
        seed: how the request wrote its atoms, for people to read.
    """
    grid, series, atoms = problem.grid, problem.series, problem.atoms.count
    chunking = chunking_of(problem, kind=kind)
    return Work(
        kind=kind if series is None else SERIES_KIND,
        sha=problem.sha,
        encode=partial(_encode, problem),
        detail=grid_detail(
            grid,
            chunking,
            atom_count=atoms,
            seed=seed,
            min_distance=problem.min_distance,
            softening=problem.softening,
            series=series,
        ),
        tasks=chunking.chunks,
        plan=chunking.sha,
        seconds=cost.seconds(grid.shape, atoms, kind, series, min_distance=problem.min_distance),
        size=f"{' x '.join(map(str, grid.shape))} points with {atoms} atoms",
        remedy="take fewer points or atoms, or cut the grid into several jobs, whose least minimum "
        "is the same",
        refusal=partial(_refusal, problem),
        # Only a job that wants the points alone may end with an answer that is known.
        known=None if kind == MAP_KIND else partial(_known, problem),
    )


def chunking_of(problem: Problem, *, kind: str = MINIMUM_KIND) -> Chunking:
    """Return how the grid of a problem's job is cut."""
    shape = problem.grid.shape
    return split(shape, cost.chunk_count(shape, problem.atoms.count, kind, problem.series))


def _encode(problem: Problem) -> bytes:
    return dataclasses.replace(problem, incumbent=find_incumbent(problem)).encode()


def _known(problem: Problem, answer: bytes) -> Ended | None:
    """Return the end that an equal problem's answer gives; a cache is no place to trust blindly."""
    points = decode_answer(answer, problem.sha)
    if points is None or flaw(problem, points) is not None:
        return None
    return ended(problem, points)


def _refusal(problem: Problem) -> InvalidJob | None:
    if has_no_candidate(problem):
        return HopelessJob(NO_CANDIDATE_DETAIL, code=NO_CANDIDATE_POINT)
    return _long_series(problem)


def _long_series(problem: Problem) -> InvalidJob | None:
    """Refuse a series that no worker would end in the time of one chunk."""
    series, shape, atoms = problem.series, problem.grid.shape, problem.atoms.count
    if series is None:
        return None

    def seconds(count: int) -> float:
        wanted = dataclasses.replace(series, count=count)
        return cost.seconds(shape, atoms, series=wanted, min_distance=problem.min_distance)

    estimate = seconds(series.count)
    if estimate <= limits.MAX_SERIES_SECONDS:
        return None
    fewer = [
        count for count in range(1, series.count) if seconds(count) <= limits.MAX_SERIES_SECONDS
    ]
    remedy = f"ask for {fewer[-1]} at most, or for" if fewer else "ask for"
    return InvalidJob(
        Fault(
            series.path,
            f"{series.count} points, one after the other, are estimated to take "
            f"{estimate:.0f} s of one worker, which may take {limits.MAX_SERIES_SECONDS:.0f}; "
            f"{remedy} a smaller grid",
        )
    )
