"""Molecules to begin with: drawn from formulas, so that nobody needs a file to see an answer."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable

_Row = tuple[float, float, float, float]

_SALT_DISTANCE: Final = 2.82  #: of sodium and chloride in rock salt, in angstrom
_SALT_SIDE: Final = 7  #: ions along each side

#: B-DNA: R. E. Dickerson et al., The Anatomy of A-, B- and Z-DNA (Science 216, 1982).
_RISE: Final = 3.38  #: angstrom from one base pair to the next
_TWIST: Final = math.radians(36.0)
_PHOSPHATE_RADIUS: Final = 8.9
_GROOVE: Final = math.radians(150.0)  #: between the strands, across the minor groove
_PAIRS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Atoms with a name; lengths in angstrom, charges in elementary charges."""

    name: str
    title: str
    about: str
    rows: Callable[[], list[_Row]]
    series: Series | None = None  #: what is asked of it, if not only the least point

    @property
    def atoms(self) -> Atoms:
        """The atoms."""
        return Atoms.from_rows(self.rows())


def _salt() -> list[_Row]:
    """A crystal of rock salt, from whose middle one sodium ion is missing."""
    middle = _SALT_SIDE // 2
    return [
        (
            _SALT_DISTANCE * i,
            _SALT_DISTANCE * j,
            _SALT_DISTANCE * k,
            1.0 if (i + j + k - 3 * middle) % 2 == 0 else -1.0,
        )
        for i, j, k in itertools.product(range(_SALT_SIDE), repeat=3)
        if (i, j, k) != (middle, middle, middle)
    ]


def _helix() -> list[_Row]:
    """The phosphates of a dozen base pairs of DNA, one charge each."""
    return [
        (
            _PHOSPHATE_RADIUS * math.cos(step * _TWIST + phase),
            _PHOSPHATE_RADIUS * math.sin(step * _TWIST + phase),
            step * _RISE,
            -1.0,
        )
        for step in range(_PAIRS)
        for phase in (0.0, _GROOVE)
    ]


def _water() -> list[_Row]:
    """One molecule of water, with the charges of TIP3P (W. L. Jorgensen et al., 1983)."""
    half, length = math.radians(104.52 / 2), 0.9572
    x, y = length * math.cos(half), length * math.sin(half)
    return [(0.0, 0.0, 0.0, -0.834), (x, y, 0.0, 0.417), (x, -y, 0.0, 0.417)]


EXAMPLES: Final[dict[str, Example]] = {
    example.name: example
    for example in (
        Example(
            name="salt",
            title="A hole in salt",
            about="a crystal of rock salt without one sodium ion: where is it missing?",
            rows=_salt,
        ),
        Example(
            name="helix",
            title="DNA",
            about="the phosphates of a dozen base pairs: where would six sodium ions go?",
            rows=_helix,
            series=Series(6, 5.0, 1),
        ),
        Example(
            name="water",
            title="Water",
            about="one molecule: three charges that you can check by hand",
            rows=_water,
        ),
    )
}
