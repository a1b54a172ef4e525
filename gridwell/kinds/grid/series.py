"""A series: several points, each the least one that the points before it allow.

The first point is the least of the grid.  Each next one is the least among the points in no zone of
radius `min_separation` around an earlier one (`gridwell.kinds.grid.exclusion`). No place is found
twice, whatever the radius.

With an ion of energy q, +1 or -1, one is placed at each point found. The search then minimises q
times the potential: the energy of the next ion. A placed ion is an atom like any other: it repels
the next ones and keeps them at `min_distance`. The products q e and q q are exact, so q V is
exactly the potential of atoms of energies q e, where each ion has the energy 1.

A series is greedy, so those of fewer points are its beginnings.  No value is less than the one
before: points only drop out, and terms that are not negative are added to sums that are rounded
once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

import numpy as np

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.feasibility import none_qualifies
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.potential import potential
from gridwell.kinds.grid.sampling import lower_point, neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from gridwell.kinds.grid.grid import Grid
    from gridwell.kinds.grid.problem import Problem

NO_ION: Final = 0
IONS: Final = (1, -1)  #: energies of ions that can be placed
_NO_POINTS: Final = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Series:
    """Number of points, and the effect of each on the next ones.

    Attributes:
        count: how many.
        min_separation: how far from one another they are, at least.
        ion: the energy of the ion that is placed at each; 0: none is.

    Raises:
        InvalidJob: if a value lies outside the limits.
    """

    count: int
    min_separation: float = 0.0
    ion: int = NO_ION

    def __post_init__(self) -> None:
        if faults := tuple(self._faults()):
            raise InvalidJob(*faults)

    @property
    def path(self) -> str:
        """JSON pointer to the number of points in a request."""
        return "/place/count" if self.ion else "/top"

    @property
    def is_plain(self) -> bool:
        """True if it asks only for the least potential."""
        return self.count == 1 and not self.ion

    def encode(self) -> list[float]:
        """Return the series as JSON holds it."""
        return [self.count, float(self.min_separation), self.ion]

    @classmethod
    def decode(cls, value: Any) -> Series | None:
        """Return the series that `encode` gave, or None of None.

        Raises:
            TypeError: if it is none (or ValueError).
            InvalidJob: if it lies outside the limits.
        """
        if value is None:
            return None
        count, separation, ion = value
        if type(count) is not int or type(ion) is not int or type(separation) not in (int, float):
            raise TypeError(f"{value!r} is not a series")
        return cls(count, float(separation), ion)

    def acting(self, atoms: Atoms) -> Atoms:
        """Return the atoms whose potential is minimised; a negative ion reverses their energies."""
        # Zero less an energy, as the opposite of 0.0 would be -0.0.
        return atoms if self.ion >= 0 else atoms.with_energies(0.0 - atoms.energies)

    def with_found(self, acting: Atoms, grid: Grid, indices: Sequence[int]) -> Atoms:
        """Return the atoms that act on the points after some that were found."""
        if not self.ion or not indices:
            return acting
        energy = float(self.ion * self.ion)
        return acting.followed_by(
            Atoms.from_rows([[*grid.point(index), energy] for index in indices])
        )

    def zone(self, grid: Grid, index: int) -> list[float]:
        """Return the zone around a point that was found."""
        return [*grid.point(index), self.min_separation]

    def potential_of(self, value: float) -> float:
        """Return the potential of a point whose value, q times it, was minimised."""
        return value * (self.ion or 1) + 0.0

    def _faults(self) -> Iterator[Fault]:
        if not 1 <= self.count <= limits.MAX_SERIES:
            what = "ions" if self.ion else "points"
            yield Fault(
                self.path, f"{self.count} is not between 1 and {limits.MAX_SERIES} {what} of a job"
            )
        if not 0 <= self.min_separation <= limits.MAX_DISTANCE:
            yield Fault(
                "/place/min_separation" if self.ion else "/min_separation",
                f"{self.min_separation!r} is not a distance between 0 and {limits.MAX_DISTANCE:g}",
            )
        if self.ion not in (NO_ION, *IONS):
            yield Fault("/place/energy", f"{self.ion!r} is neither 1 nor -1")


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
