"""Small files of atoms: the same two atoms in every format that is read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from gridwell.kinds.grid.formats import AtomsFile, read_atoms

APBS: Final = Path("/usr/share/apbs/examples")
needs_apbs: Final = pytest.mark.skipif(
    not APBS.is_dir(), reason="needs real molecules: apt-get install apbs-data"
)

ROWS: Final = [[1.5, -2.25, 3.125, -0.5], [-100.0, 20.5, 0.75, 0.25]]

CSV: Final = """\
# made by hand
x,y,z,energy
1.5,-2.25,3.125,-0.5
-100.0,20.5,0.75,0.25
"""
JSON: Final = '{"atoms": [[1.5, -2.25, 3.125, -0.5],\n [-100, 20.5, 0.75, 0.25]]}\n'
PQR: Final = """\
TITLE     two atoms
REMARK   5 charges by hand
ATOM      1  N   ALA A   1       1.500  -2.250   3.125 -0.5000 1.8240
HETATM    2 NA    NA     2    -100.000  20.500   0.750  0.2500 1.8680
TER
END
"""
XYZ: Final = """\
2
two atoms
N     1.5    -2.25  3.125  -0.5
Na -100.0    20.5   0.75    0.25
"""
EXTENDED: Final = """\
2
Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:initial_charges:R:1:pos:R:3 title="two atoms"
N  -0.5    1.5   -2.25  3.125
Na  0.25 -100.0  20.5   0.75
"""
MOL2: Final = """\
# made by hand
@<TRIPOS>MOLECULE
two atoms
 2 0 0 0 0
SMALL
USER_CHARGES

@<TRIPOS>ATOM
      1 N1        1.5000   -2.2500    3.1250 N.3     1  LIG1       -0.5000
      2 NA     -100.0000   20.5000    0.7500 Na      2  NA         0.2500
@<TRIPOS>BOND
"""
PDBQT: Final = """\
REMARK  Name = two atoms
ROOT
ATOM      1  N   LIG A   1       1.500  -2.250   3.125  1.00  0.00    -0.500 N \n\
HETATM    2 NA    NA A   2    -100.000  20.500   0.750  1.00  0.00     0.250 Na\n\
ENDROOT
TORSDOF 0
"""
ALL: Final = {
    "atoms.csv": CSV,
    "atoms.json": JSON,
    "atoms.pqr": PQR,
    "atoms.xyz": XYZ,
    "atoms.extxyz": EXTENDED,
    "atoms.mol2": MOL2,
    "atoms.pdbqt": PDBQT,
}


def read(text: str, name: str = "") -> AtomsFile:
    return read_atoms(text.encode(), name)
