"""Real molecules, against minima that another program found, and against AutoGrid's own maps.

The molecules are those of Debian's apbs-data (BSD licence) and autogrid-test, and are read where
the packages put them.  The expected minima were computed once by a compensated sum (Kahan's)
at every point, which shares no code with the kernels, and rounded to six decimals.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from app_tier.kinds.grid.kernels import KERNELS, find_minimum, potential_map
from gridwell.kinds.grid.grid import Grid
from tests.app_tier.kinds.grid.kernels.molecules import (
    COULOMB,
    ROUNDING,
    SOFTENING,
    Map,
    autogrid,
    read,
    write_pdbqt,
)

if TYPE_CHECKING:
    from gridwell.kinds.grid.atoms import Atoms

APBS: Final = Path("/usr/share/apbs/examples")
HIV_PROTEASE: Final = Path("/usr/share/autogrid/Tests/hsg1.pdbqt")

ACETATE: Final = "ionize/acetate.pqr"
FASCICULIN: Final = "misc/fas2.pqr"
BARSTAR: Final = "pbsam-barn_bars/barstar.pqr"
GRIDS: Final = {
    ACETATE: Grid((-6.0, -7.0, -6.0), (0.5, 0.5, 0.5), (25, 27, 29)),
    FASCICULIN: Grid((-24.0, -16.0, 5.0), (1.0, 1.0, 1.0), (50, 36, 45)),
    BARSTAR: Grid((11.0, -39.0, -35.0), (1.0, 1.0, 1.0), (41, 48, 44)),
}

needs_apbs = pytest.mark.skipif(
    not APBS.is_dir(), reason="needs real molecules: apt-get install apbs-data"
)
needs_autogrid = pytest.mark.skipif(
    shutil.which("autogrid4") is None, reason="needs AutoGrid: apt-get install autogrid"
)
needs_autogrid_test = pytest.mark.skipif(
    not HIV_PROTEASE.is_file(), reason="needs AutoGrid's molecules: apt-get install autogrid-test"
)


@needs_apbs
@pytest.mark.parametrize(
    ("file", "count", "charge"),
    [(ACETATE, 8, -1.0), (FASCICULIN, 906, 4.053), (BARSTAR, 1403, -5.0)],
)
def test_a_pqr_file_is_read_to_the_last_atom(file: str, count: int, charge: float) -> None:
    atoms = read(APBS / file)

    assert atoms.count == count
    assert atoms.energies.sum() == pytest.approx(charge, abs=1e-9)


@needs_apbs
@pytest.mark.parametrize("kernel", ["auto", *KERNELS])
@pytest.mark.parametrize(
    ("file", "softening", "min_distance", "value", "triple"),
    [
        (ACETATE, 0.0, 0.0, -4.223729, (12, 16, 16)),
        (ACETATE, 0.5, 0.0, -1.700486, (13, 11, 16)),
        (ACETATE, 0.0, 2.0, -0.473150, (15, 15, 19)),
        (FASCICULIN, 0.0, 0.0, -2.435835, (23, 15, 18)),
        (FASCICULIN, 0.5, 0.0, -1.226468, (14, 14, 39)),
        (FASCICULIN, 0.0, 2.0, -0.227407, (13, 12, 40)),
        (BARSTAR, 0.0, 0.0, -27.219038, (12, 26, 27)),
        (BARSTAR, 0.5, 0.0, -1.845370, (11, 34, 18)),
        (BARSTAR, 0.0, 2.0, -0.797178, (11, 34, 20)),
    ],
)
def test_a_molecule_has_the_minimum_that_another_program_found(
    kernel: str,
    file: str,
    softening: float,
    min_distance: float,
    value: float,
    triple: tuple[int, int, int],
) -> None:
    grid = GRIDS[file]

    least = find_minimum(
        grid,
        read(APBS / file),
        softening=softening,
        min_distance=min_distance,
        kernel=kernel,
    )

    assert least is not None
    assert least.value == pytest.approx(value, rel=0, abs=0.5001e-6)
    assert grid.triple(least.index) == triple


@needs_autogrid
@needs_apbs
def test_autogrid_computes_the_same_map_of_fasciculin(tmp_path: Path) -> None:
    atoms = read(APBS / FASCICULIN)
    receptor = tmp_path / "receptor.pdbqt"
    write_pdbqt(receptor, atoms)
    assert (read(receptor).rows() == atoms.rows()).all(), "three decimals are all it has"

    computed = autogrid(receptor, centre=(1.0, 2.0, 27.0), cells=(50, 36, 44))

    _assert_same(computed, atoms)


@needs_autogrid
@needs_autogrid_test
def test_autogrid_computes_the_same_map_of_its_own_example(tmp_path: Path) -> None:
    receptor = tmp_path / HIV_PROTEASE.name
    receptor.write_bytes(HIV_PROTEASE.read_bytes())
    atoms = read(receptor)
    assert atoms.count == 1842

    computed = autogrid(receptor, centre=(2.0, -1.0, 3.0), cells=(40, 40, 44))

    _assert_same(computed, atoms)


def _assert_same(computed: Map, atoms: Atoms) -> None:
    grid = computed.grid

    ours = COULOMB * potential_map(grid, atoms, grid.box, softening=SOFTENING)
    least = find_minimum(grid, atoms, softening=SOFTENING)

    assert computed.values.min() < -10, "a map of a molecule is nowhere near zero all over"
    assert np.abs(ours - computed.values).max() <= ROUNDING
    assert least is not None
    assert COULOMB * least.value == pytest.approx(computed.values.min(), rel=0, abs=ROUNDING)
    assert computed.values[grid.triple(least.index)] == computed.values.min()
