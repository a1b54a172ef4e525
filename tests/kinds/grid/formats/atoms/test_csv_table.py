"""CSV and other tables; numbers; JSON and NPY files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.kinds.grid import limits
from gridwell.kinds.grid.formats import Format, read_atoms
from gridwell.kinds.grid.formats.numbers import floats, number
from tests.kinds.grid.formats.faults import refused
from tests.kinds.grid.formats.samples import CSV, ROWS, read

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        "\n".join(CSV.splitlines()[2:]),
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        CSV.replace(",", "  "),
        CSV.replace(",", " , "),
        CSV.replace("energy", "Charge"),
        CSV.replace("x,y,z,energy", '"X","Y","Z","q"'),
        CSV.replace("x,y,z,energy", "# x,y,z,q"),
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\r"),
        CSV.replace("\n", "\n\n"),
        CSV.replace("-0.5\n", "-5.0D-01\n"),
        CSV + "% the end\n! really\n",
        "q,name,z,y,x\n-0.5,N,3.125,-2.25,1.5\n0.25,NA,0.75,20.5,-100\n",
        "# q x y z\n-0.5 1.5 -2.25 3.125\n0.25 -100 20.5 0.75\n",
        '"1.5","-2.25","3.125","-0.5"\n"-100","20.5","0.75","0.25"',
    ],
)
@pytest.mark.parametrize("name", ["", "atoms.csv", "folder/atoms.TXT"])
def test_a_table_may_be_written_in_many_ways(text: str, name: str) -> None:
    found = read(text, name)

    assert found.format is Format.CSV
    assert found.atoms.rows().tolist() == ROWS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_table_may_come_in_many_encodings(encoding: str) -> None:
    text = CSV.replace("hand", "Hände")

    assert read_atoms(text.encode(encoding)).atoms.rows().tolist() == ROWS


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("1e999", "x is '1e999', which is not a finite float64"),
        ("nan", "x is 'nan', which is not a finite float64"),
        ("-inf", "x is '-inf', which is not a finite float64"),
        ("0x10", "x is '0x10', which is not a decimal number; write it like -1.25 or 3e-4"),
        ("1_000", "x is '1_000', which is not a decimal number"),
        ("١", r"x is '\u0661', which is not a decimal number"),  # noqa: RUF001 - an Arabic 1
        ("", "x is missing"),
        ("1.2.3", "x is '1.2.3', which is not a decimal number"),
        ("__import__('os')", "x is \"__import__('os')\", which is not a decimal number"),
        ("2e9", "the coordinate x = 2000000000.0 is not between -1e+09 and 1e+09"),
    ],
)
def test_a_field_that_is_no_number_is_named_by_line_and_value(field: str, words: str) -> None:
    (detail,) = refused(f"x;y;z;q\n0;0;0;1\n{field};0;0;1\n", "a.csv")

    assert detail.startswith(f"a.csv: line 3: {words}")


def test_a_decimal_comma_is_told_to_be_a_point() -> None:
    details = refused("0;0;0;1\n1,5;0;0;1\n")

    assert details == ["line 2: x is '1,5', which is not a decimal number; write a decimal point"]


def test_energies_are_held_to_the_limits_in_the_words_of_the_interface() -> None:
    (detail,) = refused("# a comment\n\n0 0 0 1\n0 0 0 1e31\n")

    assert detail == (
        "line 4: the energy 1e+31 is neither 0 nor of an absolute value between 1e-30 and 1e+30"
    )


def test_the_faults_of_a_file_are_told_together_up_to_twenty() -> None:
    few = refused("0 0 0 1\na 0 b 1\n0 0 0\n0 0 0 1\n0 0 0 c\n")
    many = refused("0 0 0 1\n" + "a 0 0 0\n" * 30)

    assert [detail.split(":")[0] for detail in few] == ["line 2", "line 2", "line 3", "line 5"]
    assert len(many) == 21
    assert many[-1] == "more is faulty; the first 20 faults are listed"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("x,y,z,name", "names no charge;"),
        ("x,y,q,e", "names no z, charge 2 times;"),
        ("x,x,y,z,q", "names x 2 times;"),
    ],
)
def test_a_header_must_name_each_column_once(header: str, words: str) -> None:
    (detail,) = refused(f"{header}\n1,2,3,4\n")

    assert words in detail
    assert detail.startswith("line 1: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        (" \n\t\n", "the file is empty"),
        ("# nothing\n", "nothing but comments"),
        ("x,y,z,q\n", "a header and no atom below it"),
        ("1,2,3\n", "it has 3 fields where there should be 4"),
        ("1,2,3,4,5\n", "it has 5 fields where there should be 4"),
        ("0 0 0 1\n" + "1" * 20_000, "20000 characters are more than 10000"),
        ("PK\x03\x04", "a zip archive; unpack it"),
        ("0 0 0 1\n0 0 \0 1\n", "line 2 holds a NUL character"),
        ("{,", "line 1: this is not JSON"),
        ("[[0,0,0,1],\n[0,0,0,1]", "line 2: this is not JSON, from column 10 on"),
        ("[" * 100_000, "nested without end"),
        (f"[[{'1' * 5_000},0,0,0]]", "a number of thousands of digits"),
        ('{"points": []}', 'has no field "atoms"'),
        ("[]", "there are no atoms"),
        ("[[0,0,0,NaN]]", "the energy nan is neither 0 nor"),
        ('[[0,0,0,"1"]]', '"1" is not a number'),
    ],
)
def test_a_file_that_holds_no_atoms_says_why(text: str, words: str) -> None:
    details = refused(text)

    assert any(words in detail for detail in details), details


def test_compressed_files_are_told_to_be_unpacked() -> None:
    (detail,) = refused(b"\x1f\x8b\x08\x00", "atoms.pqr.gz")

    assert detail == (
        "atoms.pqr.gz: the file is compressed by gzip; unpack it and give the file that is in it"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7\n1 0 obj\n", "a PDF document; atoms are read from text"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"<!doctype html><title>404</title>", "a page of HTML, or XML"),
        (b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml", "save it as CSV"),
        (b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/vnd.oasis", "save it as CSV"),
    ],
)
def test_documents_are_told_to_be_none_of_atoms(data: bytes, words: str) -> None:
    (detail,) = refused(data, "atoms.csv")

    assert words in detail


def test_a_line_that_is_unlike_the_header_is_told_so() -> None:
    (detail,) = refused("x,y,z,charge\n0,0,0\n")

    assert detail == "line 2: it has 3 fields where there should be 4, as in the header"


def test_decimal_commas_among_tabs_are_told_to_be_points() -> None:
    (detail,) = refused("1,5\t2,5\t3,5\t0,5\n")

    assert detail.endswith("a decimal mark must be a point, as commas part fields")


def test_charges_that_cancel_are_told_as_none() -> None:
    assert read("0 0 0 0.1\n1 0 0 0.2\n2 0 0 -0.3\n").words == "CSV, 3 atoms of charge 0"


def test_utf_16_that_is_cut_short_is_refused() -> None:
    (detail,) = refused(CSV.encode("utf-16")[:-1])

    assert detail.startswith("the file's first bytes say UTF-16-LE, but byte ")


def test_more_atoms_than_the_limit_are_refused_as_in_the_interface() -> None:
    (detail,) = refused("0 0 0 1\n" * (limits.MAX_ATOMS + 1))

    assert detail == f"{limits.MAX_ATOMS + 1} atoms are more than {limits.MAX_ATOMS}"


def saved(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "array", [np.array(ROWS), np.array(ROWS, order="F"), np.array(ROWS, ">f4")]
)
def test_an_array_of_numpy_is_read_whatever_its_name(array: NDArray[np.generic]) -> None:
    found = read_atoms(saved(array), "atoms.dat")

    assert found.format is Format.NPY
    assert found.atoms.rows().tolist() == ROWS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(np.zeros((3, 3))), "the array has shape (3, 3) and type float64"),
        (saved(np.array([[{}, 0, 0, 0]])), "and type object; give numbers"),
        (saved(np.array(ROWS))[:-1], "should take 64 bytes, but 63 follow"),
        (b"\x93NUMPY\x01\x00", "its header is damaged"),
        (b"\x93NUMPY\x03\x00", "its header is damaged"),
        (saved(np.zeros((3, 4))).replace(b"(3, 4)", b"(9, 4)"), "should take 288 bytes, but 96"),
    ],
)
def test_another_array_is_refused_and_nothing_is_unpickled(data: bytes, words: str) -> None:
    (detail,) = refused(data)

    assert words in detail


def test_a_name_that_says_npy_is_not_believed() -> None:
    assert refused("0 0 0 1", "a.npy") == [
        "a.npy: the file is named .npy, but does not begin like numpy's files do"
    ]


@given(st.lists(st.one_of(st.text(max_size=8), st.floats().map(repr), st.floats().map(str))))
def test_many_numbers_at_once_are_what_they_are_one_by_one(fields: list[str]) -> None:
    fields = [field for field in fields if "\n" not in field]
    together = floats(fields)

    if together is not None:
        assert together.tolist() == [number(field) for field in fields]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_python_writes_is_read_to_the_last_bit(value: float) -> None:
    together = floats([repr(value)])

    assert together is not None
    assert together[0] == number(repr(value)) == value
