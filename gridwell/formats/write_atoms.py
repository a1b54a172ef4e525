"""Atoms as the bytes of a file, in pieces.  Every number keeps every bit."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.formats.titles import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.domain.atoms import Atoms

_ROWS: Final = 10_000  #: atoms per piece


def json_atoms(atoms: Atoms) -> Iterator[bytes]:
    """The atoms as `{"atoms": [[x, y, z, energy], …]}`."""
    yield b'{"atoms":['
    for start, rows in _pieces(atoms):
        yield (b"," if start else b"") + json.dumps(rows, separators=(",", ":"))[1:-1].encode()
    yield b"]}\n"


def csv_atoms(atoms: Atoms) -> Iterator[bytes]:
    """The atoms as CSV with a header."""
    yield b"x,y,z,energy\r\n"
    for _, rows in _pieces(atoms):
        yield "".join(f"{x!r},{y!r},{z!r},{e!r}\r\n" for x, y, z, e in rows).encode()


def npy_atoms(atoms: Atoms) -> Iterator[bytes]:
    """The atoms as a .npy file: float64 of shape (N, 4)."""
    file = io.BytesIO()
    np.save(file, atoms.rows(), allow_pickle=False)
    yield file.getvalue()


def xyz_atoms(atoms: Atoms, title: str = "") -> Iterator[bytes]:
    """The atoms as extended XYZ: places in the second to fourth column, charges in the fifth.

    The element is X, the format's word for none: a problem does not know which atoms they are.
    """
    columns = "Properties=species:S:1:pos:R:3:initial_charges:R:1"
    # Quotes and the like would end the value for a reader of extended XYZ.
    comment = one_line(title).translate(_UNQUOTED)
    yield f'{atoms.count}\n{columns} title="{comment}"\n'.encode()
    for _, rows in _pieces(atoms):
        yield "".join(f"X {x!r} {y!r} {z!r} {e!r}\n" for x, y, z, e in rows).encode()


def pqr_atoms(atoms: Atoms, title: str = "") -> Iterator[bytes]:
    """The atoms as PQR, its fields parted by blanks as APBS reads them, each radius 0.

    A program which needs radii must be given them: a problem has none.
    """
    if title:
        yield f"REMARK   1 {one_line(title)}\n".encode()
    for start, rows in _pieces(atoms):
        yield "".join(
            f"HETATM {number} X UNK 1 {x!r} {y!r} {z!r} {e!r} 0.0\n"
            for number, (x, y, z, e) in enumerate(rows, start=start + 1)
        ).encode()
    yield b"END\n"


_UNQUOTED: Final = str.maketrans({'"': "'", "\\": "/", "=": ":"})


def _pieces(atoms: Atoms) -> Iterator[tuple[int, list[list[float]]]]:
    """The number of each piece's first atom, and the piece's rows of x, y, z, energy."""
    table = atoms.rows()
    for start in range(0, atoms.count, _ROWS):
        yield start, table[start : start + _ROWS].tolist()
