"""Detection of a file's format, by its content, else by its name."""

from __future__ import annotations

import enum
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.formats.atoms.mol2 import SECTION
from gridwell.kinds.grid.formats.atoms.pdb_records import ATOM_RECORDS
from gridwell.kinds.grid.formats.atoms.pqr import apart, without_element
from gridwell.kinds.grid.formats.atoms.xyz import is_count
from gridwell.kinds.grid.formats.numbers import is_number
from gridwell.kinds.grid.formats.text import LONGEST_LINE, file_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.engine.errors import InvalidJob
    from gridwell.kinds.grid.formats.text import Text


class Format(enum.Enum):
    """The formats of atoms that are read."""

    CSV = "CSV"  #: and other tables
    JSON = "JSON"
    MOL2 = "MOL2"
    NPY = "NPY"
    PDBQT = "PDBQT"
    PQR = "PQR"
    XYZ = "XYZ"


#: Formats that people have, and that hold no charges.
CHARGELESS: Final = {
    ".pdb": "PDB",
    ".ent": "PDB",
    ".cif": "CIF",
    ".mmcif": "CIF",
    ".bcif": "CIF",
    ".sdf": "SDF",
    ".mol": "MOL",
    ".gro": "GRO",
}
_NAMED: Final = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".dat": Format.CSV,
    ".json": Format.JSON,
    ".mol2": Format.MOL2,
    ".npy": Format.NPY,
    ".pdbqt": Format.PDBQT,
    ".pqr": Format.PQR,
    ".xyz": Format.XYZ,
    ".extxyz": Format.XYZ,
}
#: What names of files with atoms end in.
SUFFIXES: Final = tuple(_NAMED)
_PDBQT_RECORDS: Final = ("ROOT", "ENDROOT", "BRANCH", "TORSDOF", "BEGIN_RES")
#: Occupancy and temperature factor, where PDB has them.
_PDB_TAIL: Final = re.compile(r" {0,3}-?[0-9]{1,3}\.[0-9][0-9] {0,4}-?[0-9]{1,4}\.[0-9][0-9]\b")
_NUMBERS_OF_PQR: Final = 5
_LOOKED_AT: Final = 2_000  #: lines, by which every format has shown itself


def suffix_of(name: str) -> str:
    """Return the last part of a file's name, from its last full stop."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


def named(name: str) -> Format | None:
    """Return the format that a file's name says."""
    return _NAMED.get(suffix_of(name))


def shown_by(text: Text, name: str) -> Format | None:
    """Return the format that a text shows beyond doubt; None if it may be many.

    Raises:
        InvalidJob: if it is of a format without charges.
    """
    lines = [line[:LONGEST_LINE] for line in text.lines[:_LOOKED_AT]]
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith(("{", "[")):
        return Format.JSON
    if first.lower().startswith("data_") or any(line.startswith("loop_") for line in lines):
        raise chargeless("CIF")
    if any(line.startswith(SECTION) for line in lines):
        return Format.MOL2
    records = [line for line in lines if line.startswith(ATOM_RECORDS)]
    # A table of another kind may name its atoms so: only a PDB line has these columns.
    if records and len(records[0].split()) > _NUMBERS_OF_PQR:
        return _of_records(lines, records, name)
    return None


def guessed(text: Text) -> Format:
    """Return the format of a text whose content and name leave it open."""
    if is_count(text.lines[0]) and len(text.lines) > len("12"):
        fields = text.lines[2][:LONGEST_LINE].split()
        if len(fields) > len("xyz") and fields[0].isalpha():
            return Format.XYZ
    return Format.CSV


def chargeless(kind: str, unless: str = "") -> InvalidJob:
    """Return the error about a format that has no charges."""
    return file_fault(
        f"the file is {kind}, which holds no charges; let a program assign them and write PQR, "
        "such as PDB2PQR for proteins or Open Babel for small "
        f"molecules{unless}"
    )


def _of_records(lines: Sequence[str], records: Sequence[str], name: str) -> Format:
    """Tell PDB, PDBQT and PQR apart: all have ATOM records, and only their ends differ."""
    by_name, first = named(name), records[0]
    charged = is_number(first[66:76]) and first[76:77] == " " and first[77:79].strip().isalnum()
    if any(line.startswith(_PDBQT_RECORDS) for line in lines) or (
        charged and by_name is not Format.PQR
    ):
        return Format.PDBQT
    fields = apart(first).split()
    to_radius = without_element(fields)
    numbers = sum(1 for _ in takewhile(is_number, reversed(to_radius)))
    tail = _PDB_TAIL.match(first[54:66]) is not None
    # PDB has the element behind its tail, and PQR the element or what looks like that tail.
    may_be = not tail or (by_name is Format.PQR and to_radius == fields)
    if numbers >= _NUMBERS_OF_PQR and may_be:
        return Format.PQR
    if by_name is Format.PDBQT or (by_name is Format.PQR and not tail):
        return by_name  # its reader tells which fields are missing
    raise chargeless("PDB", "; a PQR file with columns like PDB's must be named .pqr")
