"""Whatever bytes come, there are atoms or an error that says where: nothing else, ever."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid.formats import AtomsFile, npy_atoms, read_atoms
from tests.kinds.grid.formats.samples import ALL, APBS, needs_apbs, read

NAMES = ("", "a", "a.csv", "a.json", "a.pqr", "a.xyz", "a.mol2", "a.pdbqt", "a.npy", "a.pdb")
NPY = b"".join(npy_atoms(read(ALL["atoms.csv"]).atoms))
PIECES = st.sampled_from(
    [
        b"\0", b"\r", b"\n", b"\n\n", b"-", b".", b"1e999", b"nan", b"0x10", b"1_0", b"9" * 400,
        b" ", b"\t", b",", b";", b'"', b"#", b"ATOM  ", b"HETATM", b"ENDMDL\n", b"@<TRIPOS>ATOM\n",
        b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", "\u0661".encode(), b"[", b"]", b"{", b"}",
        b"\x1b[2J",
    ]
)  # fmt: skip


def outcome(data: bytes, name: str) -> AtomsFile | None:
    """What was read; None if it was refused as it should be."""
    try:
        return read_atoms(data, name)
    except InvalidJob as error:
        assert 1 <= len(error.faults) <= 21  # noqa: PT017 - either outcome is right
        for fault in error.faults:
            assert fault.pointer.startswith("/atoms")
            assert fault.detail.isprintable()
            assert len(fault.detail) < 400
        return None


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(NAMES))
@example(b"\xff\xfe\x00\x00", "")
@example(b"\x93NUMPY\x01\x00\xff\xff{", "")
def test_any_bytes_are_atoms_or_an_error(data: bytes, name: str) -> None:
    outcome(data, name)


@settings(max_examples=300)
@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_of_any_name_is_atoms_or_an_error(text: str, name: str) -> None:
    outcome(text.encode("utf-8", "surrogatepass"), name)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with some bytes cut out, doubled, put in or changed."""
    data = whole
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["cut", "end", "double", "put in", "change"])):
            case "cut":
                data = data[:start] + data[end:]
            case "end":
                data = data[:start]
            case "double":
                data = data[:end] + data[start:]
            case "put in":
                data = data[:start] + draw(PIECES) + data[start:]
            case _:
                data = data[:start] + bytes([draw(st.integers(0, 255))]) + data[start + 1 :]
    return data


@pytest.mark.parametrize("name", [*ALL, "atoms.npy"])
@settings(max_examples=100)
@given(data=st.data())
def test_a_damaged_file_is_atoms_or_an_error(name: str, data: st.DataObject) -> None:
    whole = NPY if name == "atoms.npy" else ALL[name].encode()

    outcome(data.draw(damaged(whole)), data.draw(st.sampled_from([name, ""])))


@needs_apbs
@settings(max_examples=100)
@given(st.data())
def test_a_damaged_file_of_a_real_molecule_is_atoms_or_an_error(data: st.DataObject) -> None:
    outcome(data.draw(damaged((APBS / "ionize/acetate.pqr").read_bytes())), "acetate.pqr")


@needs_apbs
@pytest.mark.parametrize("name", ["", "a.pqr"])
def test_every_real_molecule_is_read_to_its_last_atom(name: str) -> None:
    for path in sorted(APBS.rglob("*.pqr")):
        if not name and path.parent.name == "born":
            continue  # one ion with a charge and radius like PDB's columns: its name must tell
        data = path.read_bytes()

        found = read_atoms(data, name)

        count = sum(line.startswith((b"ATOM", b"HETATM")) for line in data.splitlines())
        assert (path, found.atoms.count) == (path, count)


@pytest.mark.parametrize(
    "line",
    ["1" * 1_000_000, "-" * 1_000_000, "1-" * 500_000, " " * 1_000_000 + "1", '"' * 1_000_000,
     'title="' * 100_000, "ATOM " + "1.-" * 300_000, "a" * 1_000_000],
)  # fmt: skip
@pytest.mark.parametrize(
    "before", ["", "ATOM      1  N   ALA A   1 ", "1\n", "x,y,z,q\n", "@<TRIPOS>ATOM\n"]
)
@pytest.mark.timeout(20)
def test_a_line_without_end_takes_no_time_without_end(line: str, before: str) -> None:
    assert outcome(f"{before}{line}\n".encode(), "") is None


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("../\x1b[2J.csv", r"'\x1b[2J.csv'"),
        ("C:\\data\\my atoms.csv", "my atoms.csv"),
        ("a" * 5_000, f"'{'a' * 39}...'"),
        ("\U00010000" * 39, r"'\U00010000\U00010000\U00010000\U0001000...'"),
    ],
)
def test_a_name_is_told_short_and_cannot_move_the_terminal(name: str, quoted: str) -> None:
    with pytest.raises(InvalidJob) as raised:
        read_atoms(b"a", name)

    assert raised.value.faults[0].detail.startswith(f"{quoted}: line 1: ")
