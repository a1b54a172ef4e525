"""Placed ions as PDB."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid.formats.atoms.pdb_records import columns, misfit
from gridwell.kinds.grid.formats.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST: Final = 9_999  #: the residue's number has four columns
_LARGEST_CHARGE: Final = 9  #: the charge has one digit and a sign
_ELEMENT: Final = re.compile(r"[A-Z]{1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ion:
    """An ion and where it was placed."""

    element: str  #: its symbol, such as NA or CL
    charge: int  #: in elementary charges
    position: tuple[float, float, float]  #: in angstrom

    @property
    def residue(self) -> str:
        """The name that PDB's dictionary of compounds has for it: NA, CL, MG, ..."""
        return self.element.upper()


def ions_pdb(ions: Sequence[Ion], *, title: Sequence[str] = ()) -> Iterator[bytes]:
    """Ions as HETATM records, each a residue of its own, numbered from 1.

    The format keeps three decimals of a coordinate.

    Args:
        ions: in the order in which they were placed.
        title: lines of remark.

    Raises:
        InvalidJob: if an ion does not fit into the columns.
    """
    if faults := tuple(_faults(ions)):
        raise InvalidJob(*faults)
    yield "".join(f"REMARK   1 {one_line(line, 69)}\n" for line in title).encode()
    for number, ion in enumerate(ions, start=1):
        yield (
            f"HETATM{number:5d} {ion.residue:>2}   {ion.residue:>3} A{number:4d}    "
            f"{columns(ion.position)}  1.00  0.00          {ion.residue:>2}{_sign(ion.charge)}\n"
        ).encode()
    yield b"END\n"


def _sign(charge: int) -> str:
    """Columns 79 and 80: a digit and a sign, blank for none."""
    return "  " if charge == 0 else f"{abs(charge)}{'+' if charge > 0 else '-'}"


def _faults(ions: Sequence[Ion]) -> Iterator[Fault]:
    if len(ions) > _MOST:
        yield Fault("/ions", f"{len(ions)} ions are more than the {_MOST} that PDB can number")
    for k, ion in enumerate(ions):
        if not _ELEMENT.fullmatch(ion.residue):
            yield Fault(f"/ions/{k}/element", f"{ion.element!a} is no symbol of an element")
        if abs(ion.charge) > _LARGEST_CHARGE:
            yield Fault(f"/ions/{k}/charge", f"{ion.charge} is not between -9 and 9")
        if fault := misfit(ion.position):
            yield Fault(f"/ions/{k}/position", fault)
