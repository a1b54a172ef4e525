"""PQR: a PDB file with charge and radius in the place of occupancy and temperature factor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.formats.atoms.atom_lines import NAMES, BadLine, Rows, read_rows
from gridwell.kinds.grid.formats.atoms.pdb_records import atom_records
from gridwell.kinds.grid.formats.numbers import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.kinds.grid.formats.text import Text

_LAST: Final = 5  #: x, y, z, charge and radius end each line
#: Before a minus sign, and where a coordinate of PDB's eight columns follows another.
_TOUCHING: Final = re.compile(
    r"(?<=[0-9.])(?=-)|(?<=\.[0-9]{3})(?=[0-9]{4}\.[0-9]{3}(?:[0-9]{4}\.|[^0-9]|$))"
)


def read_pqr(text: Text) -> Rows:
    """Return the atoms of a PQR file.

    Its fields are parted by blanks and vary in number, as the chain may be missing, so the last
    five are taken; Open Babel writes the element behind them.  Wide columns touch: they are parted
    at a minus sign, or where PDB's columns end.

    Raises:
        InvalidJob: with what is wrong with each line.
    """
    records = atom_records(text)
    table = read_rows(records.lines, records.numbers, cut, (*NAMES, "radius"), mend=apart)
    return records.rows(table[:, :4])


def apart(line: str) -> str:
    """Return the line with a blank between numbers that touch."""
    return _TOUCHING.sub(" ", line)


def without_element(fields: list[str]) -> list[str]:
    """Return a line's fields up to its radius: the element may follow."""
    return fields[:-1] if fields and fields[-1].isalpha() else fields


def cut(line: str) -> Sequence[str]:
    """Return the last five fields of a line: x, y, z, charge and radius.

    Raises:
        BadLine: if there are fewer numbers.
    """
    fields = without_element(line.split())[-_LAST:]
    if len(fields) < _LAST:
        raise BadLine("it does not end in x, y, z, charge and radius; a PQR line has these five")
    x, y, z, *_ = fields
    if "." not in x and x.lstrip("-").isdigit() and ("." in y or "." in z):
        # The residue's number, in the place of x: one of the five is missing.
        raise BadLine(
            f"it does not end in x, y, z, charge and radius: {shown(x)} would be x; "
            "give all five, each coordinate with a decimal point"
        )
    return fields
