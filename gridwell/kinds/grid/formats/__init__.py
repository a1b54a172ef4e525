"""The file formats of the field: bytes to atoms, atoms and maps to bytes.  Pure: no files here.

What each format holds, keeps and cannot say is described in docs/reference/formats.md.
"""

from typing import Final

from gridwell.kinds.grid.fit_grid import fit
from gridwell.kinds.grid.formats.atoms.detect import SUFFIXES, Format
from gridwell.kinds.grid.formats.atoms.read import AtomsFile, read_atoms
from gridwell.kinds.grid.formats.atoms.write import (
    csv_atoms,
    json_atoms,
    npy_atoms,
    pqr_atoms,
    xyz_atoms,
)
from gridwell.kinds.grid.formats.ions_pdb import Ion, ions_pdb
from gridwell.kinds.grid.formats.maps.cube import cube, cube_length
from gridwell.kinds.grid.formats.maps.npz import npz, npz_length
from gridwell.kinds.grid.formats.maps.opendx import dx
from gridwell.kinds.grid.formats.maps.value_blocks import WrongCount
from gridwell.kinds.grid.formats.points_csv import map_csv, points_csv

#: Of whole maps, by the ends of their files' names.
MAP_FORMATS: Final = ("dx", "cube", "npz")

__all__ = [
    "MAP_FORMATS",
    "SUFFIXES",
    "AtomsFile",
    "Format",
    "Ion",
    "WrongCount",
    "csv_atoms",
    "cube",
    "cube_length",
    "dx",
    "fit",
    "ions_pdb",
    "json_atoms",
    "map_csv",
    "npy_atoms",
    "npz",
    "npz_length",
    "points_csv",
    "pqr_atoms",
    "read_atoms",
    "xyz_atoms",
]
