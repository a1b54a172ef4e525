"""NPY files: numpy's arrays, never pickled ones."""

from __future__ import annotations

import io
from typing import Final

import numpy as np

from gridwell.kinds.grid.atoms import Atoms, check_count
from gridwell.kinds.grid.formats.text import file_fault

MAGIC: Final = b"\x93NUMPY"
_COLUMNS: Final = 4


def float64_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of a .npy file of float64 in C order; the values follow it."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def read_npy(data: bytes) -> Atoms:
    """Return the atoms of a .npy file: an array of numbers, of shape (N, 4).

    Raises:
        InvalidJob: if it is another array, or cut short.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(file)
    except Exception as error:
        # numpy promises no set of errors, and damaged bytes raise many kinds.
        raise file_fault("the file begins like a .npy file, but its header is damaged") from error
    if len(shape) != len(("atom", "column")) or shape[1] != _COLUMNS or dtype.kind not in "fiu":
        raise file_fault(
            f"the array has shape {shape} and type {dtype}; give numbers of shape (N, {_COLUMNS}): "
            "x, y, z and energy of each atom"
        )
    if not shape[0]:
        raise file_fault("the array has no rows; it should hold at least one atom")
    check_count(shape[0])
    held = len(data) - file.tell()
    if held != shape[0] * _COLUMNS * dtype.itemsize:
        raise file_fault(
            f"the array should take {shape[0] * _COLUMNS * dtype.itemsize} bytes, but {held} "
            "follow its header; the file is cut short or damaged"
        )
    values = np.frombuffer(data, dtype=dtype, offset=file.tell())
    return Atoms.from_rows(values.reshape(shape, order="F" if fortran else "C"))
