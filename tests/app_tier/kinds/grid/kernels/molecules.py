"""Molecules from files, and just enough of AutoGrid's formats for the tests."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.kinds.grid.formats import read_atoms
from gridwell.kinds.grid.grid import Grid
from tests.harness.waiting import DEADLINE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gridwell.kinds.grid.atoms import Atoms

COULOMB: Final = 332.0 * 0.1406  #: AutoGrid's kcal A / (mol e^2), times its weight of the term
SOFTENING: Final = 0.5  #: AutoGrid takes smaller distances as this, in A
ROUNDING: Final = 0.000501  #: its maps have three decimals

_RECORDS = ("ATOM", "HETATM")
_HEADER_LINES = 6


def read(path: Path) -> Atoms:
    """The atoms of a file."""
    return read_atoms(path.read_bytes(), path.name).atoms


def write_pdbqt(path: Path, atoms: Atoms) -> None:
    """Write atoms as if all were carbon: three decimals are kept of coordinates and charges."""
    path.write_text(
        "".join(
            f"ATOM  {number % 100_000:5d}  C   MOL A   1    {x:8.3f}{y:8.3f}{z:8.3f}"
            f"  1.00  0.00    {charge:6.3f} C \n"
            for number, (x, y, z, charge) in enumerate(atoms.rows().tolist(), start=1)
        )
    )


def _records(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith(_RECORDS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """What AutoGrid computed."""

    grid: Grid
    values: NDArray[np.float64]  #: in the grid's shape, kcal/mol for a charge of 1


def autogrid(
    receptor: Path, *, centre: tuple[float, float, float], cells: tuple[int, int, int]
) -> Map:
    """AutoGrid's electrostatic map around a molecule in vacuum, 1 A apart.

    Args:
        receptor: a PDBQT file in a folder of its own: AutoGrid writes beside it.
        centre: the middle of the map, in A.
        cells: along each axis, even: AutoGrid computes one point more.

    Raises:
        subprocess.CalledProcessError: if AutoGrid cannot do it; its log lies beside the receptor.
    """
    types = sorted({line[77:79].strip() for line in _records(receptor)})
    (receptor.parent / "map.gpf").write_text(
        f"""\
npts {cells[0]} {cells[1]} {cells[2]}
gridfld map.fld
spacing 1.0
receptor_types {" ".join(types)}
ligand_types C
receptor {receptor.name}
gridcenter {centre[0]} {centre[1]} {centre[2]}
smooth 0.5
map map.C.map
elecmap map.e.map
dsolvmap map.d.map
dielectric 1.0
"""
    )
    subprocess.run(
        ["autogrid4", "-p", "map.gpf", "-l", "map.glg"],
        cwd=receptor.parent,
        check=True,
        timeout=DEADLINE,
    )
    x, y, z = (middle - count // 2 for middle, count in zip(centre, cells, strict=True))
    shape = (cells[0] + 1, cells[1] + 1, cells[2] + 1)
    values = np.loadtxt(receptor.parent / "map.e.map", skiprows=_HEADER_LINES)
    return Map(
        grid=Grid((x, y, z), (1.0, 1.0, 1.0), shape),
        values=values.reshape(shape[::-1]).transpose(),  # x runs fastest in AutoGrid's maps
    )
