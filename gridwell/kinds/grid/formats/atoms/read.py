"""Atoms out of a file of any format that is read."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.read_jobs import counted
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.formats.atoms.csv_table import read_table
from gridwell.kinds.grid.formats.atoms.detect import (
    CHARGELESS,
    Format,
    chargeless,
    guessed,
    named,
    shown_by,
    suffix_of,
)
from gridwell.kinds.grid.formats.atoms.json_atoms import read_json
from gridwell.kinds.grid.formats.atoms.mol2 import read_mol2
from gridwell.kinds.grid.formats.atoms.npy import MAGIC, read_npy
from gridwell.kinds.grid.formats.atoms.pdbqt import read_pdbqt
from gridwell.kinds.grid.formats.atoms.pqr import read_pqr
from gridwell.kinds.grid.formats.atoms.xyz import read_xyz
from gridwell.kinds.grid.formats.numbers import shown
from gridwell.kinds.grid.formats.text import file_fault, read_text, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gridwell.kinds.grid.formats.atoms.atom_lines import Rows
    from gridwell.kinds.grid.formats.text import Text

_LONG_NAME: Final = 80
_READERS: Final[dict[Format, Callable[[Text], Rows]]] = {
    Format.CSV: read_table,
    Format.MOL2: read_mol2,
    Format.PDBQT: read_pdbqt,
    Format.PQR: read_pqr,
    Format.XYZ: read_xyz,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomsFile:
    """The atoms of a file, and what else was read."""

    atoms: Atoms
    format: Format
    title: str = ""  #: what the file says of itself
    skipped: int = 0  #: lines that are neither blank, nor an atom, nor the header
    notes: tuple[str, ...] = ()  #: what the one who sent the file should know

    @property
    def words(self) -> str:
        """One-line summary for people."""
        # Charges of six decimals that cancel leave a remainder of 1e-17, which tells nothing.
        charge = round(self.charge, 6) + 0.0
        lines = f", {counted(self.skipped, 'other line')}" if self.skipped else ""
        return (
            f"{self.format.value}, {counted(self.atoms.count, 'atom')} of charge "
            f"{charge:.6g}{lines}"
        )

    @property
    def charge(self) -> float:
        """The sum of the charges, rounded once."""
        return math.fsum(self.atoms.energies.tolist())


def read_atoms(data: bytes, name: str = "") -> AtomsFile:
    """Return the atoms in a file's bytes.

    The content decides the format if it is unambiguous, then the name. A text with neither is read
    as a table, or as XYZ if it begins like it.

    Time and memory are proportional to the bytes, so the caller limits those.

    Args:
        data: all of the file.
        name: of the file, with or without folders; errors quote it.

    Raises:
        InvalidJob: with what is wrong with each line, up to the first few.
    """
    name = name.replace("\\", "/").rsplit("/", maxsplit=1)[-1]
    try:
        return _read(data, name)
    except InvalidJob as error:
        if not name:
            raise
        plain = name.isascii() and name.isprintable() and len(name) <= _LONG_NAME
        quoted = name if plain else shown(name)
        raise InvalidJob(
            *(Fault(fault.pointer, f"{quoted}: {fault.detail}") for fault in error.faults)
        ) from error


def _read(data: bytes, name: str) -> AtomsFile:
    if data.startswith(MAGIC):
        with _rows_named():
            return AtomsFile(atoms=read_npy(data), format=Format.NPY)
    text = read_text(data)
    by_name, by_content = named(name), shown_by(text, name)
    if by_content is None:
        if suffix_of(name) in CHARGELESS:
            raise chargeless(CHARGELESS[suffix_of(name)])
        if by_name is Format.NPY:
            raise file_fault("the file is named .npy, but does not begin like numpy's files do")
        found = by_name or guessed(text)
    else:
        found = by_content
    notes = text.notes
    if by_name is not None and by_name is not found:
        notes = (*notes, f"its name says {by_name.value}, its content {found.value}: read as that")
    if found is Format.JSON:
        with _rows_named():
            return AtomsFile(atoms=read_json(text), format=found, notes=notes)
    rows = _READERS[found](text)
    try:
        atoms = Atoms.from_rows(rows.table)
    except InvalidJob as error:
        raise InvalidJob(*(_by_line(fault, rows) for fault in error.faults)) from error
    return AtomsFile(
        atoms=atoms,
        format=found,
        title=shortened(rows.title),
        skipped=rows.skipped,
        notes=(*notes, *(note for note in rows.notes if note not in notes)),
    )


@contextmanager
def _rows_named() -> Iterator[None]:
    """Tell the faults of a format without lines by the row, as Python and JSON count them."""
    try:
        yield
    except InvalidJob as error:
        raise InvalidJob(*map(_by_row, error.faults)) from error


def _by_row(fault: Fault) -> Fault:
    _, _, *parts = fault.pointer.split("/")
    return Fault(fault.pointer, f"atoms[{parts[0]}]: {fault.detail}") if parts else fault


def _by_line(fault: Fault, rows: Rows) -> Fault:
    """Return the fault of an atom with its line."""
    _, _, *parts = fault.pointer.split("/")  # "/atoms/7/3", or "/atoms" for all of them
    if not parts:
        return fault
    return Fault(fault.pointer, f"line {rows.numbers[int(parts[0])]}: {fault.detail}")
