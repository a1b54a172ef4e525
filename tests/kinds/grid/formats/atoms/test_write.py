"""Atoms written and read again, by us and by ASE; ions as PDB."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import ase.io
import numpy as np
import pytest
from hypothesis import given

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid.formats import (
    Ion,
    csv_atoms,
    ions_pdb,
    json_atoms,
    npy_atoms,
    pqr_atoms,
    read_atoms,
    xyz_atoms,
)
from tests.kinds.grid.strategies import atoms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gridwell.kinds.grid.atoms import Atoms

WRITERS: dict[str, Callable[[Atoms], Iterator[bytes]]] = {
    "csv": csv_atoms,
    "json": json_atoms,
    "npy": npy_atoms,
    "xyz": xyz_atoms,
}


@pytest.mark.parametrize("suffix", WRITERS)
@given(some=atoms)
def test_atoms_that_were_written_are_read_to_the_last_bit(suffix: str, some: Atoms) -> None:
    data = b"".join(WRITERS[suffix](some))

    found = read_atoms(data, f"atoms.{suffix}")

    assert found.atoms.sha() == some.sha()
    assert found.format.value.lower() == suffix
    assert found.notes == ()


@given(atoms)
def test_pqr_keeps_every_bit_of_a_charge_and_three_decimals_of_a_place(some: Atoms) -> None:
    try:
        data = b"".join(pqr_atoms(some, "a title"))
    except InvalidJob as error:
        assert "does not fit into PDB's eight columns" in str(error)  # noqa: PT017
        assert some.positions.min() < -999.999 or some.positions.max() > 9999.999
        return

    found = read_atoms(data, "atoms.pqr")

    assert np.array_equal(found.atoms.energies, some.energies)
    assert np.allclose(found.atoms.positions, some.positions, rtol=0, atol=5.001e-4)
    assert all(line[54] == " " for line in data.decode().splitlines()[1:-1])


def read_by_ase(text: str, form: str) -> ase.Atoms:
    read = ase.io.read(io.StringIO(text), format=form)
    assert isinstance(read, ase.Atoms)
    return read


@given(atoms)
def test_ase_reads_the_same_charges_from_extended_xyz(some: Atoms) -> None:
    text = b"".join(xyz_atoms(some, 'a "title" of = mine\n')).decode()

    read = read_by_ase(text, "extxyz")

    assert np.array_equal(read.positions, some.positions)
    assert np.array_equal(read.arrays["initial_charges"], some.energies)
    assert read.info["title"] == "a 'title' of : mine"


# ASE 3.28 sets an array's shape, which numpy 2.5 deprecates.
@pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning:ase")
def test_charges_that_ase_writes_are_read() -> None:
    molecule = ase.Atoms(
        "OH2", [[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]], charges=[-0.8, 0.4, 0.4]
    )
    file = io.StringIO()
    ase.io.write(file, molecule, format="extxyz")

    found = read_atoms(file.getvalue().encode(), "water.xyz")

    assert np.array_equal(found.atoms.positions, molecule.positions)
    assert found.atoms.energies.tolist() == [-0.8, 0.4, 0.4]


IONS = (
    Ion(element="Na", charge=1, position=(1.5, -22.25, 333.125)),
    Ion(element="CL", charge=-1, position=(-999.999, 9999.999, 0.0004)),
    Ion(element="K", charge=1, position=(0.0, 0.0, 0.0)),
)


def test_ions_lie_in_the_columns_of_pdb() -> None:
    lines = b"".join(ions_pdb(IONS, title=["placed by hand"])).decode("ascii").splitlines()

    assert lines == [
        "REMARK   1 placed by hand",
        "HETATM    1 NA    NA A   1       1.500 -22.250 333.125  1.00  0.00          NA1+",
        "HETATM    2 CL    CL A   2    -999.9999999.999   0.000  1.00  0.00          CL1-",
        "HETATM    3  K     K A   3       0.000   0.000   0.000  1.00  0.00           K1+",
        "END",
    ]


def test_ase_reads_the_ions() -> None:
    text = b"".join(ions_pdb(IONS)).decode()

    read = read_by_ase(text, "proteindatabank")

    assert list(read.symbols) == ["Na", "Cl", "K"]
    assert np.allclose(read.positions, [ion.position for ion in IONS], atol=5e-4)


@pytest.mark.parametrize(
    ("ion", "words"),
    [
        (Ion(element="NA", charge=1, position=(0, 0, 10_000.0)), "z = 10000.0 does not fit"),
        (Ion(element="NA", charge=1, position=(0, -1000.0, 0)), "y = -1000.0 does not fit"),
        (Ion(element="NA", charge=1, position=(9999.9996, 0, 0)), "x = 9999.9996 does not fit"),
        (Ion(element="NA", charge=10, position=(0, 0, 0)), "10 is not between -9 and 9"),
        (Ion(element="N\nA", charge=1, position=(0, 0, 0)), "is no symbol of an element"),
    ],
)
def test_an_ion_that_does_not_fit_is_refused_with_its_number(ion: Ion, words: str) -> None:
    with pytest.raises(InvalidJob) as raised:
        list(ions_pdb([IONS[0], ion]))

    (fault,) = raised.value.faults
    assert words in fault.detail
    assert fault.pointer.startswith("/ions/1/")


def test_more_ions_than_pdb_can_number_are_refused() -> None:
    with pytest.raises(InvalidJob, match="10000 ions are more than the 9999"):
        list(ions_pdb([IONS[2]] * 10_000))
