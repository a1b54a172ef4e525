"""XYZ: a count, a comment, and a line for each atom, the charge in its fifth column."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.formats.atoms.atom_lines import BadLine, Rows, line_fault, read_rows
from gridwell.kinds.grid.formats.numbers import shown
from gridwell.kinds.grid.formats.text import LONGEST_LINE, file_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gridwell.kinds.grid.formats.text import Text

_HEAD: Final = 2  #: lines before the first atom
_PLAIN: Final = (1, 2, 3, 4)  #: the columns of x, y, z and charge
_WITH_VECTOR: Final = 7  #: fields of a plain line with a vector and no charge, as Jmol has it
_DIGITS: Final = 2  #: of a property's width
_CHARGES: Final = ("charge", "charges", "initial_charges", "partial_charges", "q")
_PROPERTIES: Final = re.compile(r"(?:^|\s)Properties=\"?([^\s\"]+)", re.IGNORECASE)
_TITLE: Final = re.compile(r'(?:^|\s)(?:title|comment)="([^"]*)"', re.IGNORECASE)


def read_xyz(text: Text) -> Rows:
    """Return the atoms of an XYZ file's first frame, plain or extended.

    Extended ones (a `Properties=` in the comment) name their columns, and so the charges'.

    Raises:
        InvalidJob: if it holds no charges, is cut short, or a line is faulty.
    """
    lines = text.lines
    count = _count(lines[0])
    comment = lines[1][:LONGEST_LINE] if len(lines) > 1 else ""
    found = _PROPERTIES.search(comment)
    columns = _PLAIN if found is None else _columns(found[1])
    end = _HEAD + count
    present = sum(bool(line.strip()) for line in lines[_HEAD:end])
    if present < count:
        raise file_fault(
            f"line 1 says {count} atoms, but {present} lines follow; the file is cut short, or "
            "the count is wrong"
        )
    notes = text.notes
    if 'lattice="' in comment.lower():
        notes = (*notes, "the file has a Lattice: its periodic images are not summed")
    after = sum(bool(line.strip()) for line in lines[end:])
    if after:
        notes = (*notes, f"{after} lines after the first frame were not read")
    numbers = range(_HEAD + 1, end + 1)
    title = _TITLE.search(comment)
    return Rows(
        table=read_rows(lines[_HEAD:end], numbers, _cutter(columns)),
        numbers=numbers,
        title=title[1] if title else "" if found else comment.strip(),
        skipped=after,
        notes=notes,
    )


def is_count(line: str) -> bool:
    """Return True if a line is the first of an XYZ file."""
    text = line.strip()
    return text.isascii() and text.isdigit() and len(text) <= len(str(limits.MAX_ATOMS)) + 2


def _count(line: str) -> int:
    if not is_count(line) or int(line) == 0:
        detail = f"{shown(line.strip())} is not the number of atoms with which an XYZ file begins"
        raise InvalidJob(line_fault(1, detail))
    return int(line)


def _cutter(columns: Sequence[int]) -> Callable[[str], Sequence[str]]:
    width = max(columns) + 1
    plain = columns == _PLAIN
    pick: Callable[[list[str]], tuple[str, ...]] = itemgetter(*columns)

    def cut(line: str) -> Sequence[str]:
        fields = line.split()
        if plain and len(fields) == _WITH_VECTOR:
            raise BadLine(
                "the three numbers after z are a vector, such as a force, and no charge; "
                "write element x y z charge"
            )
        if plain and len(fields) == width - 1:
            raise BadLine("there is no charge; write it in a fifth column: element x y z charge")
        if len(fields) < width:
            raise BadLine(f"it has {len(fields)} fields where the charge needs {width}")
        return pick(fields)

    return cut


def _columns(properties: str) -> tuple[int, ...]:
    """Return the columns of x, y, z and charge in `species:S:1:pos:R:3:charge:R:1` or the like."""
    parts = properties.split(":")
    columns: dict[str, int] = {}
    column = 0
    for name, width in zip(parts[::3], parts[2::3], strict=False):
        if not (width.isascii() and width.isdigit() and len(width) <= _DIGITS):
            raise InvalidJob(line_fault(2, f"Properties={shown(properties)} cannot be read"))
        columns[name.lower()] = column
        column += int(width)
    charges = [name for name in _CHARGES if name in columns]
    if "pos" not in columns or not charges:
        raise InvalidJob(
            line_fault(
                2,
                f"Properties={shown(properties)} names no pos, or no charges; "
                f"the known names are {', '.join(_CHARGES)}",
            )
        )
    x = columns["pos"]
    return x, x + 1, x + 2, columns[charges[0]]
