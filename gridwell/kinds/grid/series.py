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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gridwell.kinds.grid.grid import Grid

NO_ION: Final = 0
IONS: Final = (1, -1)  #: energies of ions that can be placed


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
            noun = "ions" if self.ion else "points"
            yield Fault(
                self.path, f"{self.count} is not between 1 and {limits.MAX_SERIES} {noun} of a job"
            )
        if not 0 <= self.min_separation <= limits.MAX_DISTANCE:
            yield Fault(
                "/place/min_separation" if self.ion else "/min_separation",
                f"{self.min_separation!r} is not a distance between 0 and {limits.MAX_DISTANCE:g}",
            )
        if self.ion not in (NO_ION, *IONS):
            yield Fault("/place/energy", f"{self.ion!r} is neither 1 nor -1")
