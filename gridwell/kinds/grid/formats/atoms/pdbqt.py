"""PDBQT: AutoDock's PDB, with the charge in columns 67 to 76."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.formats.atoms.atom_lines import Rows, read_rows
from gridwell.kinds.grid.formats.atoms.pdb_records import atom_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.kinds.grid.formats.text import Text

_COLUMNS: Final = (slice(30, 38), slice(38, 46), slice(46, 54), slice(66, 76))


def read_pdbqt(text: Text) -> Rows:
    """Return the atoms of a PDBQT file's first model: its columns are fixed, and may touch.

    Raises:
        InvalidJob: with what is wrong with each line.
    """
    records = atom_records(text)
    return records.rows(read_rows(records.lines, records.numbers, cut))


def cut(line: str) -> Sequence[str]:
    """Return the columns of x, y, z and charge."""
    x, y, z, charge = _COLUMNS
    return line[x], line[y], line[z], line[charge]
