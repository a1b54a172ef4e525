"""The file formats of the field: bytes to atoms, atoms and maps to bytes.  Pure: no files here.

What each format holds, keeps and cannot say is described in docs/formats.md.
"""

from typing import Final

from gridwell.formats.cube import cube, cube_length
from gridwell.formats.detect import SUFFIXES, Format
from gridwell.formats.dx import dx
from gridwell.formats.fit import fit
from gridwell.formats.ions import Ion, ions_pdb
from gridwell.formats.npz import npz, npz_length
from gridwell.formats.points import map_csv, points_csv
from gridwell.formats.read_atoms import AtomsFile, read_atoms
from gridwell.formats.slabs import WrongCount
from gridwell.formats.write_atoms import csv_atoms, json_atoms, npy_atoms, pqr_atoms, xyz_atoms

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
