"""The parts of PDB that PQR, PDBQT and written files share: records, titles, models, columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.formats.atoms.atom_lines import Rows
from gridwell.kinds.grid.formats.text import file_fault

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gridwell.kinds.grid.formats.text import Text

ATOM_RECORDS: Final = ("ATOM", "HETATM")
#: Bounds of a coordinate in eight characters with three decimals.
_LEAST: Final = -999.999
_LARGEST: Final = 9999.999


@dataclass(frozen=True, slots=True)
class Records:
    """The lines of the first model's atoms, and what else was seen."""

    lines: list[str]
    numbers: list[int]
    title: str
    skipped: int
    notes: tuple[str, ...]

    def rows(self, table: NDArray[np.float64]) -> Rows:
        """Return the records found, with the numbers of their lines."""
        return Rows(
            table=table,
            numbers=self.numbers,
            title=self.title,
            skipped=self.skipped,
            notes=self.notes,
        )


def atom_records(text: Text) -> Records:
    """Return the ATOM and HETATM lines of a file's first model; the others are counted, not judged.

    Several models are one molecule in several poses: together they would count it many times.

    Raises:
        InvalidJob: if there is no such line.
    """
    lines, notes = text.lines, text.notes
    end = next(
        (k for k, line in enumerate(lines) if line and line.startswith("ENDMDL")), len(lines)
    )
    if any(line and line.startswith(ATOM_RECORDS) for line in lines[end:]):
        notes = (*notes, f"the file holds several models: the first was read, up to line {end + 1}")
    numbers = [k for k, line in enumerate(lines[:end], 1) if line and line.startswith(ATOM_RECORDS)]
    if not numbers:
        raise file_fault("the file has no line that begins with ATOM or HETATM")
    blank = sum(not line or line.isspace() for line in lines)
    return Records(
        lines=[lines[k - 1] for k in numbers],
        numbers=numbers,
        title=next(
            (line[10:].strip() for line in lines[:end] if line and line.startswith("TITLE ")), ""
        ),
        skipped=len(lines) - blank - len(numbers),
        notes=notes,
    )


def columns(position: tuple[float, float, float]) -> str:
    """Return columns 31 to 54: eight characters each, three decimals, nothing between them."""
    return "".join(f"{value:8.3f}" for value in position)


def misfit(position: tuple[float, float, float]) -> str | None:
    """Return the fault of a position that the columns cannot hold, or None."""
    for axis, value in zip("xyz", position, strict=True):
        if not _LEAST <= round(value, 3) <= _LARGEST:
            return (
                f"{axis} = {value!r} does not fit into PDB's eight columns, which hold "
                f"{_LEAST} to {_LARGEST}; shift the molecule, or take CSV"
            )
    return None
