"""Gaussian cube files, as VESTA, VMD, 3Dmol.js, Multiwfn and ASE read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid.formats.maps.value_blocks import pieces, without_gaps
from gridwell.kinds.grid.formats.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.grid import Grid

BOHR: Final = 0.529177210903  #: in angstrom (CODATA 2018)
_DECIMALS: Final = 6  #: of a length
_PER_LINE: Final = 6
_PIECE: Final = 30_000  #: values per piece of bytes, at least
_ELEMENT: Final = 0  #: a point charge: a problem does not know which atoms it holds
_ATOMS: Final = 10_000  #: per piece of bytes
_ATOM: Final = 54  #: characters of an atom's line, where no number needs more than eleven
_FIXED: Final = 999.0  #: such are those below this
_VALUE: Final = 13  #: characters of a value with the blank before it
_LEAST_FIXED: Final = -9e99  #: one whose exponent has three digits has one more
_MOVED: Final = 0.1  #: of a spacing: so far may rounding move the last point


def cube(
    grid: Grid,
    atoms: Atoms,
    values: Iterable[NDArray[np.float64]],
    *,
    title: str = "",
) -> Iterator[bytes]:
    """Yield a map as a cube file with its atoms.

    The format is in Bohr, so the grid's unit of length is taken for the angstrom; the values stay
    as they are.  All counts are positive: readers disagree on what negative ones mean.
    The format keeps six decimals of a length and six significant digits of a value; take OpenDX
    or NPZ for every bit.  A point without a value is written as 0, as in
    `gridwell.kinds.grid.formats.maps.opendx`.

    Args:
        grid: any whose spacing the six decimals can hold.
        atoms: written with element 0 and their charges.
        values: the potentials in C order, in arrays of any sizes.
        title: the first line; the second is ours.

    Raises:
        InvalidJob: if the grid is too fine for six decimals.
        WrongCount: if there are more or fewer values than points.
    """
    _check(grid)
    yield _head(grid, atoms, title).encode()
    for lines in _atom_lines(atoms):
        yield lines.encode()
    per_row = grid.shape[2]
    for block in pieces(grid, values, per_row * max(1, _PIECE // per_row)):
        # The blank keeps values apart whose exponents have three digits.
        numbers = [f" {value:12.5E}" for value in without_gaps(block).tolist()]
        yield "".join(
            "".join(numbers[k : min(k + _PER_LINE, row + per_row)]) + "\n"
            for row in range(0, len(numbers), per_row)
            for k in range(row, row + per_row, _PER_LINE)
        ).encode()


def cube_length(grid: Grid, atoms: Atoms, *, least: float, title: str = "") -> int | None:
    """Return the length of the file that `cube` writes; None if the values' widths are unknown.

    All values have one width, except negative ones whose exponent has three digits. `least` shows
    if there are large ones. Small ones are no potentials: within `gridwell.kinds.grid.limits` a
    term is 1e-44 at least, and what sums of such float64 differ by is 1e-60, or nothing.

    Args:
        grid: as `cube`.
        atoms: as `cube`.
        least: no value is less.
        title: as `cube`.

    Raises:
        InvalidJob: as `cube`.
    """
    _check(grid)
    if not least > _LEAST_FIXED:
        return None
    nx, ny, nz = grid.shape
    row = nz * _VALUE + math.ceil(nz / _PER_LINE)
    return len(_head(grid, atoms, title)) + _atoms_length(atoms) + nx * ny * row


def _atoms_length(atoms: Atoms) -> int:
    table = atoms.rows()
    widest = max(np.abs(table[:, :3]).max() / BOHR, np.abs(table[:, 3]).max()) if len(table) else 0
    if widest < _FIXED:
        return atoms.count * _ATOM
    return sum(map(len, _atom_lines(atoms)))


def _atom_lines(atoms: Atoms) -> Iterator[str]:
    """Their lines, many at once."""
    table = atoms.rows()
    for start in range(0, atoms.count, _ATOMS):
        yield "".join(
            f"{_ELEMENT:5d} {e:11.6f}{_lengths((x, y, z))}\n"
            for x, y, z, e in table[start : start + _ATOMS].tolist()
        )


def _head(grid: Grid, atoms: Atoms, title: str) -> str:
    (nx, ny, nz), (dx, dy, dz) = grid.shape, grid.spacing
    return "".join(
        f"{line}\n"
        for line in (
            one_line(title) or "potential of point charges",
            "charge per length of the input; lengths in Bohr; 0 where a point has no value",
            f"{atoms.count:5d}{_lengths(grid.origin)}",
            f"{nx:5d}{_lengths((dx, 0.0, 0.0))}",
            f"{ny:5d}{_lengths((0.0, dy, 0.0))}",
            f"{nz:5d}{_lengths((0.0, 0.0, dz))}",
        )
    )


def _lengths(values: tuple[float, float, float]) -> str:
    """Three lengths in columns of twelve characters, each with a blank before it."""
    return "".join(f" {value / BOHR:11.{_DECIMALS}f}" for value in values)


def _check(grid: Grid) -> None:
    faults = []
    for k, (spacing, length) in enumerate(zip(grid.spacing, grid.shape, strict=True)):
        bohr = spacing / BOHR
        written = round(bohr, _DECIMALS)
        if written == 0 or abs(written - bohr) * (length - 1) > _MOVED * bohr:
            faults.append(
                Fault(
                    f"/grid/spacing/{k}",
                    f"a cube file keeps {_DECIMALS} decimals of a length in Bohr, too few for "
                    f"{length} points {spacing!r} apart; take OpenDX or NPZ, or another unit",
                )
            )
    if faults:
        raise InvalidJob(*faults)
