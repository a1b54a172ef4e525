"""A file costs as much as it is long, and its refusal is short, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid.formats import read_atoms
from gridwell.kinds.grid.formats.text import MOST_LINES
from tests.harness.scaling import LINEAR, growth, listed, named
from tests.kinds.grid.formats.faults import refused

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE: Final = 40_000  #: bytes, of the smaller file
PQR: Final = "ATOM      1  N   ALA A   1      11.104   6.134  -6.504 -0.3000 1.8500\n"
PDBQT: Final = "ATOM      1  N   ALA A   1      11.104   6.134  -6.504  1.00  0.00    -0.300 N \n"
MOL2: Final = "1 C1 11.1 6.1 -6.5 C.3 1 LIG 0.123\n"
ROW: Final = "1.25,2.5,3.75,-0.5\n"
KEY: Final = f"gw_0123456789ab_{'S' * 43}"
ATOM: Final = "@<TRIPOS>ATOM\n"


def npy(shape: str, kind: str = "<f8") -> str:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return f"\x93NUMPY\x01\0{chr(len(header) % 256)}{chr(len(header) // 256)}{header}"


#: Files of each format, of so many bytes: their text in Latin-1.
FILES: Final[dict[str, Callable[[int], str]]] = {
    "rows.csv": lambda n: ROW * (n // len(ROW)),
    "line ends.csv": lambda n: "\n" * n + ROW,
    "returns.csv": lambda n: "\r" * n + ROW,
    "comments.csv": lambda n: "#\n" * (n // 2) + ROW,
    "blanks.csv": lambda n: " \n" * (n // 2) + ROW,
    "one long line.csv": lambda n: "1," * (n // 2),
    "long lines.csv": lambda n: f"{'1,' * 4000}\n" * (n // 8000),
    "quoted.csv": lambda n: '"1","2","3","4"\n' * (n // 16),
    "quoted errors.csv": lambda n: ROW + '"1","2","3,"4"\n' * (n // 15),
    "quotes.csv": lambda n: ROW + f"{'%s' * 9000},1,2,3\n".replace("%s", '"') * (n // 9007),
    "words.csv": lambda n: ROW + "a,b,c,d\n" * (n // 8),
    "a late error.csv": lambda n: ROW * (n // len(ROW)) + "x\n",
    "wide header.csv": lambda n: "x,y,z,charge" + ",a" * (n // 2) + "\n" + ROW,
    "keys.csv": lambda n: f"x,y,z,{KEY}\n" * (n // 70),
    "digits.csv": lambda n: f"1,2,3,{'9' * n}\n",
    "long numbers.csv": lambda n: f"0.{'1' * 2000},2,3,4\n" * (n // 2009),
    "escapes.csv": lambda n: ROW + "\x1b[2K,\x1b[31m,1,2\n" * (n // 14),
    "rows.json": lambda n: listed("[1.25,2.5,3.75,-0.5]", n),
    "short rows.json": lambda n: listed("[1,2,3]", n),
    "no atoms.json": lambda n: f'{{"a": [{"1," * (n // 2)}1]}}',
    "depth.json": lambda n: "[" * n,
    "digits.json": lambda n: f"[[{'9' * n},0,0,1]]",
    "large numbers.json": lambda n: listed(f"[{'9' * 4000},0,0,1]", n),
    "names.json": lambda n: f"{{{named(n)}}}",
    "repeated names.json": lambda n: "{" + listed('"same":1', n)[1:-1] + "}",
    "objects.json": lambda n: listed("{}", n),
    "texts.json": lambda n: listed('["a","b","c","d"]', n),
    "a key.json": lambda n: f'["{KEY}{"x" * n}"]',
    "line ends.json": lambda n: "[" + "\n" * n + "x",
    "atoms.pqr": lambda n: PQR * (n // len(PQR)),
    "line ends.pqr": lambda n: "\n" * n + PQR,
    "remarks.pqr": lambda n: PQR + "REMARK\n" * (n // 7),
    "models.pqr": lambda n: f"{PQR}ENDMDL\n" * (n // 80),
    "minus signs.pqr": lambda n: PQR + f"ATOM  {'1-' * 4900}\n" * (n // 9806),
    "points.pqr": lambda n: PQR + f"ATOM  1 {'.1111' * 1900}\n" * (n // 9508),
    "a long title.pqr": lambda n: f"TITLE     {'t' * n}\n{PQR}",
    "words.pqr": lambda n: PQR + "ATOM a b c d e f g\n" * (n // 19),
    "atoms.pdbqt": lambda n: PDBQT * (n // len(PDBQT)),
    "short.pdbqt": lambda n: f"ROOT\n{PDBQT}" + "ATOM  1\n" * (n // 8),
    "atoms.mol2": lambda n: ATOM + MOL2 * (n // len(MOL2)),
    "line ends.mol2": lambda n: ATOM + "\n" * n + MOL2,
    "hashes.mol2": lambda n: ATOM + "#\n" * (n // 2) + MOL2,
    "sections.mol2": lambda n: ATOM + MOL2 + "@<TRIPOS>\n" * (n // 10),
    "molecules.mol2": lambda n: "@<TRIPOS>MOLECULE\n" * (n // 18) + ATOM + MOL2,
    "a count of many digits.mol2": lambda n: f"@<TRIPOS>MOLECULE\nx\n{'9' * n}\n\n\n{ATOM}{MOL2}",
    "words.mol2": lambda n: ATOM + "a b c d e f g h i\n" * (n // 18),
    "atoms.xyz": lambda n: f"{n // 19}\nc\n" + "C 1.25 2.5 3.5 0.5\n" * (n // 19),
    "frames.xyz": lambda n: "1\nc\nC 1.25 2.5 3.5 0.5\n" * (n // 23),
    "line ends.xyz": lambda n: "999999\n" + "\n" * n,
    "a long comment.xyz": lambda n: f"1\n{'Properties=' * (n // 11)}\nC 1 2 3 4\n",
    "properties.xyz": lambda n: f"1\nProperties={'a:S:1:' * 1600}\n" + "C 1 2 3 4\n" * (n // 10),
    "titles.xyz": lambda n: "1\n" + ' title="' * 1200 + "\n" + "C 1 2 3 4\n" * (n // 10),
    "zeros.npy": lambda n: npy(f"({n // 32}, 4)") + "\0" * (n // 32 * 32),
    "a wrong shape.npy": lambda n: npy(f"({', '.join(['1'] * 2500)})") + "\0" * n,
    "a long type.npy": lambda n: npy("(1, 4)", f"<U{'9' * 3000}") + "\0" * n,
    "too many.npy": lambda n: npy(f"({'9' * 4000}, 4)") + "\0" * n,
}


def outcome(data: bytes, name: str) -> list[str]:
    """The details of all faults; none if there are atoms."""
    try:
        read_atoms(data, name)
    except InvalidJob as error:
        return [fault.detail for fault in error.faults]
    return []


@pytest.mark.parametrize("name", FILES)
def test_a_file_costs_as_much_as_it_is_long(name: str) -> None:
    grown = growth(
        lambda data: outcome(data, name), lambda n: FILES[name](n).encode("latin-1"), SIZE
    )

    assert grown < LINEAR


@pytest.mark.parametrize("name", FILES)
def test_the_refusal_of_a_file_is_short_and_shows_no_key(name: str) -> None:
    for size in (50, 5000, 10 * SIZE):
        told = outcome(FILES[name](size).encode("latin-1"), name)

        assert sum(map(len, told)) < 10_000
        assert all(detail.isprintable() for detail in told)
        assert not any("S" * 20 in detail for detail in told)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "#\n", " \n"])
@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.pqr", "a.pdbqt", "a.mol2", "a.xyz", ""])
def test_a_file_of_more_lines_than_any_needs_is_refused(name: str, end: str) -> None:
    (told,) = refused(end * MOST_LINES + PQR, name)

    assert f"the file has {MOST_LINES + 2:,} lines, more than {MOST_LINES:,}" in told


def test_a_file_of_as_many_lines_as_may_be_is_read() -> None:
    found = read_atoms(("\n" * (MOST_LINES - 2) + ROW).encode(), "a.csv")

    assert found.atoms.count == 1


@pytest.mark.parametrize("name", ["a.json", ""])
def test_a_name_that_stands_twice_in_a_file_is_refused(name: str) -> None:
    (told,) = refused('{"atoms": [[1, 2, 3, 4]], "atoms": [[5, 6, 7, 8]]}', name)

    assert 'an object in which the name "atoms" stands twice; give it once' in told


def test_a_json_file_of_more_lists_than_any_has_is_refused_before_it_is_parsed() -> None:
    (told,) = refused("[" * 2_000_000, "a.json")

    assert "2,000,000 lists are more than the 1,100,000 that a job can have" in told
