"""Points of a problem's series: their search, and the check of reported ones."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from gridwell.kinds.grid import limits
from gridwell.kinds.grid.feasibility import none_qualifies
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.potential import potential
from gridwell.kinds.grid.sampling import lower_point, neighbours
from gridwell.kinds.grid.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.problem import Problem

_NO_POINTS: Final = np.empty(0, dtype=np.int64)


def steps(
    problem: Problem, search: Callable[[Atoms, NDArray[np.float64], int | None], Minimum | None]
) -> Iterator[Minimum]:
    """Yield the points of a problem's series, each as `search` finds it, until none is left.

    Args:
        problem: the problem; one without a series asks for one point.
        search: takes the atoms that act, the zones and perhaps a likely point; gives the least.
    """
    series = problem.series or Series(1)
    first = series.acting(problem.atoms)
    indices: list[int] = []
    hint = problem.incumbent
    for _ in range(series.count):
        # Made of the first ones each time, so that those in between are let go of before.
        acting = series.with_found(first, problem.grid, indices)
        zones = np.array([series.zone(problem.grid, index) for index in indices])
        found = search(acting, zones.reshape(-1, 4), hint)
        del acting
        if found is None:
            return
        yield found
        hint = None
        indices.append(found.index)


class _Options(TypedDict):
    min_distance: float
    softening: float


@dataclass(frozen=True, slots=True)
class PointsFlaw:
    """Proof that points cannot be the answer to a problem."""

    why: str
    #: A point whose potential proves it: whoever searched its chunk overlooked it; None: the
    #: reported points are wrong in themselves.
    index: int | None = None


def flaw(problem: Problem, points: Sequence[Minimum]) -> str | None:
    """Return why these cannot be the points of a problem's series; None if their values are true.

    Each point is evaluated canonically, with the ions that were placed before it.  What is not
    seen is a lesser point that was overlooked, nor, in a large problem, one that was left out:
    `find_flaw` samples points for that.
    """
    if not points:
        return "there are no points"
    found = find_flaw(problem, points)
    return None if found is None else found.why


def find_flaw(
    problem: Problem, points: Sequence[Minimum], sampled: NDArray[np.int64] = _NO_POINTS
) -> PointsFlaw | None:
    """Return what proves that points are not the answer to a problem, or None if nothing does.

    Each point is evaluated canonically, with the ions that were placed before it, and none of the
    sampled points may be less than it where it was found.  Of a report that no point qualifies, or
    no further one, no sampled point may.

    Args:
        problem: the problem.
        points: the reported points; none: no point of the grid qualifies.
        sampled: linear indices of points that are looked at, int64 of shape (K,).
    """
    wanted = 1 if problem.series is None else problem.series.count
    if len(points) > wanted:
        return PointsFlaw(f"there are {len(points)} points, and {wanted} were asked for")
    reported = iter(points)
    wrong: list[PointsFlaw] = []

    def check(acting: Atoms, zones: NDArray[np.float64], _hint: int | None) -> Minimum | None:
        point = next(reported, None)
        found = _flaw_of_step(problem, acting, zones, point, sampled)
        if found is None and point is None and points:
            found = _flaw_of_end(problem, acting, zones, len(points))
        if found is not None:
            wrong.append(found)
            return None
        return point

    found = list(steps(problem, check))
    if wrong:
        return wrong[0]
    if any(later.value < earlier.value for earlier, later in itertools.pairwise(found)):
        return PointsFlaw("a later value is less than an earlier one")
    return None


def _flaw_of_step(
    problem: Problem,
    acting: Atoms,
    zones: NDArray[np.float64],
    point: Minimum | None,
    sampled: NDArray[np.int64],
) -> PointsFlaw | None:
    """Return what proves one reported point wrong; None: that no point is left."""
    options: _Options = {"min_distance": problem.min_distance, "softening": problem.softening}
    near = _NO_POINTS
    if point is not None:
        inside = 0 <= point.index < problem.grid.points
        true = (
            potential(problem.grid, acting, point.index, zones=zones, **options) if inside else None
        )
        if true is None or point.key() != Minimum(true, point.index).key():
            return PointsFlaw(
                f"{point.value!r} at point {point.index}, whose potential is {true!r}"
            )
        near = neighbours(problem.grid, point.index, most=len(sampled))
    if not len(sampled):
        return None
    candidates = np.concatenate([near, sampled])
    lower = lower_point(problem.grid, acting, candidates, point, zones=zones, **options)
    if lower is None:
        return None
    if point is None:
        return PointsFlaw(
            f"no point was found that qualifies, and point {lower.index} does", lower.index
        )
    return PointsFlaw(
        f"{point.value!r} at point {point.index}, and the potential of point {lower.index} is "
        f"{lower.value!r}",
        lower.index,
    )


def _flaw_of_end(
    problem: Problem, acting: Atoms, zones: NDArray[np.float64], found: int
) -> PointsFlaw | None:
    """Return what proves that a series goes on, where that is cheap to know."""
    options: _Options = {"min_distance": problem.min_distance, "softening": problem.softening}
    if problem.grid.points * acting.count > limits.CHECKED_PAIRS or none_qualifies(
        problem.grid, acting, zones=zones, **options
    ):
        return None
    return PointsFlaw(f"there are {found} points, and another one qualifies")
