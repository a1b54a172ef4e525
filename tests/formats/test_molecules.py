"""PQR, PDBQT, MOL2 and XYZ: what is read, what is skipped, and what is refused by its line."""

from __future__ import annotations

import pytest

from gridwell.formats import Format
from tests.formats.faults import refused
from tests.formats.samples import ALL, EXTENDED, MOL2, PDBQT, PQR, ROWS, XYZ, read


@pytest.mark.parametrize("name", ALL)
def test_each_format_gives_the_same_atoms_by_its_name_and_by_its_content_alone(name: str) -> None:
    named, nameless = read(ALL[name], name), read(ALL[name])

    assert named.atoms.rows().tolist() == nameless.atoms.rows().tolist() == ROWS
    assert named.format is nameless.format
    assert named.charge == -0.25


@pytest.mark.parametrize(
    ("text", "title", "skipped"),
    [
        (PQR, "two atoms", 4),
        (XYZ, "two atoms", 0),
        (EXTENDED, "two atoms", 0),
        (MOL2, "two atoms", 8),
    ],
)
def test_title_and_lines_that_hold_no_atom_are_told(text: str, title: str, skipped: int) -> None:
    found = read(text)

    assert (found.title, found.skipped) == (title, skipped)


def test_columns_of_a_pqr_file_that_touch_are_parted_at_the_minus_signs() -> None:
    line = "ATOM    100  O5'  DG B-100    -100.123-200.456-300.789-0.5000 1.7000\n"

    found = read(line, "a.pqr")

    assert found.atoms.rows().tolist() == [[-100.123, -200.456, -300.789, -0.5]]


def test_exponents_are_no_columns_that_touch() -> None:
    found = read("ATOM 1 O HOH 1 1.5e-3 2.5D+01 -1.e-2 -1.5E+00 1.0\n", "a.pqr")

    assert found.atoms.rows().tolist() == [[1.5e-3, 25.0, -0.01, -1.5]]


def test_a_pqr_file_without_radii_is_not_misread_by_one_column() -> None:
    for line in (
        "ATOM 1 N ALA 12 1.500 -2.250 3.125 -0.5000\n",
        "ATOM 1 N ALA A 12 1.500 -2.250 3.125 -0.5000\n",
    ):
        (detail,) = refused(PQR.splitlines(keepends=True)[2] + line, "a.pqr")

        assert detail.startswith("a.pqr: line 2: ")
        assert "'12' would be x; give all five" in detail


def test_a_pqr_file_may_number_its_residues_in_any_way() -> None:
    found = read("ATOM 1 I ION 1 0 0 0 1 3\nATOM 2 I ION A 2B 1 0 0 -1 3\n", "a.pqr")

    assert found.atoms.rows().tolist() == [[0, 0, 0, 1], [1, 0, 0, -1]]


@pytest.mark.parametrize("text", [PQR, PDBQT])
def test_of_several_models_only_the_first_is_read(text: str) -> None:
    model = text.removesuffix("END\n") + "ENDMDL\n"

    found = read(f"MODEL 1\n{model}MODEL 2\n{model}")

    assert found.atoms.rows().tolist() == ROWS
    assert any("several models: the first was read" in note for note in found.notes)


def test_of_several_molecules_only_the_first_is_read() -> None:
    found = read(MOL2 + MOL2)

    assert found.atoms.rows().tolist() == ROWS
    assert found.notes == ("the file holds 2 molecules: the first was read",)


def test_of_several_frames_only_the_first_is_read() -> None:
    found = read(XYZ + XYZ, "a.xyz")

    assert found.atoms.rows().tolist() == ROWS
    assert found.notes == ("4 lines after the first frame were not read",)


def test_a_lattice_is_told_to_be_ignored() -> None:
    assert read(EXTENDED).notes == ("the file has a Lattice: its periodic images are not summed",)


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (XYZ.replace("2\n", "3\n", 1), "a.xyz", "line 1 says 3 atoms, but 2 lines follow"),
        (MOL2.replace(" 2 0 0", " 5 0 0"), "a.mol2", "should have 5 atoms, but 2 lines follow"),
        (MOL2.replace("USER_CHARGES", "NO_CHARGES"), "a.mol2", "line 6 says NO_CHARGES"),
        (MOL2.replace("ATOM\n", "AROM\n"), "a.mol2", "no section @<TRIPOS>ATOM"),
        (
            MOL2.replace("       -0.5000", ""),
            "a.mol2",
            "line 9: it has 8 fields; the charge is the n",
        ),
        (XYZ.replace("  -0.5", ""), "a.xyz", "line 3: there is no charge; write it in a fifth"),
        (XYZ.replace("-0.5", "1 2 3"), "a.xyz", "line 3: the three numbers after z are a vector"),
        (XYZ.replace("2\n", "two\n", 1), "a.xyz", "line 1: 'two' is not the number of atoms"),
        (XYZ.replace("2\n", "0\n", 1), "a.xyz", "line 1: '0' is not the number of atoms"),
        (
            EXTENDED.replace("initial_charges", "tags"),
            "",
            "line 2: Properties='species:S:1:tags:R:1",
        ),
        (EXTENDED.replace("R:1", "R:one"), "", "cannot be read"),
        (PDBQT.replace("    -0.500", ""), "a.pdbqt", "line 3: charge is 'N'"),
        (
            PDBQT.replace("ATOM  ", "ANOM  ").replace("HETATM", "HOTATM"),
            "a.pdbqt",
            "ATOM or HETATM",
        ),
        ("ATOM\n", "a.pqr", "line 1: it does not end in x, y, z, charge and radius"),
    ],
)
def test_what_cannot_be_atoms_is_refused_with_its_reason(text: str, name: str, words: str) -> None:
    details = refused(text, name)

    assert any(words in detail for detail in details), details


PDB = """\
HEADER    HYDROLASE
ATOM      1  N   ALA A   1      11.104   6.134  -6.504  1.00 20.10           N
ATOM      2  CA  ALA A   1      11.639   6.071  -5.147  1.00 21.00           C
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (PDB, "a.pdb"),
        (PDB, ""),
        (PDB, "a.pqr"),
        ("\n".join(line[:66] for line in PDB.splitlines()), "a.pdb"),
        ("\n".join(line[:66] for line in PDB.splitlines()), ""),
        ("data_1ABC\nloop_\n_atom_site.id\n", "a.cif"),
        ("data_1ABC\nloop_\n_atom_site.id\n", ""),
        ("what ever\n", "a.cif"),
        ("what ever\n", "a.sdf"),
    ],
)
def test_a_format_without_charges_is_refused_with_the_remedy(text: str, name: str) -> None:
    (detail,) = refused(text, name)

    assert "holds no charges; let a program assign them and write PQR" in detail


def test_content_outweighs_a_name_and_is_told() -> None:
    found = read(PQR, "atoms.csv")

    assert found.format is Format.PQR
    assert found.notes == ("its name says CSV, its content PQR: read as that",)


def test_a_pqr_file_named_pdb_is_read_as_what_it_is() -> None:
    assert read(PQR, "atoms.pdb").format is Format.PQR


def test_a_pqr_file_with_columns_like_those_of_pdb_must_be_named_so() -> None:
    text = "ATOM      1  I   ION A   1       0.000   0.000   0.000  1.00  3.00\n"

    assert read(text, "ion.pqr").atoms.rows().tolist() == [[0, 0, 0, 1]]
    (detail,) = refused(text)
    assert detail.endswith("a PQR file with columns like PDB's must be named .pqr")
