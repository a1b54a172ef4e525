"""Atoms as the bytes of a file, in pieces.  Numbers keep every bit, but for places in PQR."""

from __future__ import annotations

import io
import json
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid.formats.atoms.atom_lines import REPORTED
from gridwell.kinds.grid.formats.atoms.pdb_records import columns, misfit
from gridwell.kinds.grid.formats.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.kinds.grid.atoms import Atoms

_ROWS: Final = 10_000  #: atoms per piece
_SERIALS: Final = 100_000  #: an atom's number has five columns; nobody should rely on it


def json_atoms(atoms: Atoms) -> Iterator[bytes]:
    """Yield the atoms as `{"atoms": [[x, y, z, energy], …]}`."""
    yield b'{"atoms":['
    for start, rows in _pieces(atoms):
        yield (b"," if start else b"") + json.dumps(rows, separators=(",", ":"))[1:-1].encode()
    yield b"]}\n"


def csv_atoms(atoms: Atoms) -> Iterator[bytes]:
    """Yield the atoms as CSV with a header."""
    yield b"x,y,z,energy\r\n"
    for _, rows in _pieces(atoms):
        yield "".join(f"{x!r},{y!r},{z!r},{e!r}\r\n" for x, y, z, e in rows).encode()


def npy_atoms(atoms: Atoms) -> Iterator[bytes]:
    """Yield the atoms as a .npy file: float64 of shape (N, 4)."""
    file = io.BytesIO()
    np.save(file, atoms.rows(), allow_pickle=False)
    yield file.getvalue()


def xyz_atoms(atoms: Atoms, title: str = "") -> Iterator[bytes]:
    """Yield the atoms as extended XYZ: places in the second to fourth column, charges in the fifth.

    The element is X, the format's word for none: a problem does not know which atoms they are.
    """
    columns = "Properties=species:S:1:pos:R:3:initial_charges:R:1"
    # Quotes and the like would end the value for a reader of extended XYZ.
    comment = one_line(title).translate(_UNQUOTED)
    yield f'{atoms.count}\n{columns} title="{comment}"\n'.encode()
    for _, rows in _pieces(atoms):
        yield "".join(f"X {x!r} {y!r} {z!r} {e!r}\n" for x, y, z, e in rows).encode()


def pqr_atoms(atoms: Atoms, title: str = "") -> Iterator[bytes]:
    """Yield the atoms as PQR, all in one residue UNK, each radius 0: a problem knows no more.

    Coordinates stand in PDB's columns, as viewers look for them there, and keep three decimals;
    charges keep every bit.

    Raises:
        InvalidJob: if a place does not fit into the columns.
    """
    faults = (
        Fault(f"/atoms/{row}", fault)
        for row, position in enumerate(map(tuple, atoms.positions.tolist()))
        if (fault := misfit(position))
    )
    if first := list(islice(faults, REPORTED)):
        raise InvalidJob(*first)
    if title:
        yield f"REMARK   1 {one_line(title, 69)}\n".encode()
    for start, rows in _pieces(atoms):
        yield "".join(
            f"HETATM{number % _SERIALS:5d}  X   UNK A   1    {columns((x, y, z))} {e!r} 0.0\n"
            for number, (x, y, z, e) in enumerate(rows, start=start + 1)
        ).encode()
    yield b"END\n"


_UNQUOTED: Final = str.maketrans({'"': "'", "\\": "/", "=": ":"})


def _pieces(atoms: Atoms) -> Iterator[tuple[int, list[list[float]]]]:
    """Yield the number of each piece's first atom, and the piece's rows of x, y, z, energy."""
    table = atoms.rows()
    for start in range(0, atoms.count, _ROWS):
        yield start, table[start : start + _ROWS].tolist()
