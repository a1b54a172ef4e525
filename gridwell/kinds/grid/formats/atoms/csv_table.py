"""Tables: CSV and its kin, parted by commas, semicolons, tabs or blanks."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid.formats.atoms.atom_lines import NAMES, BadLine, Rows, line_fault, read_rows
from gridwell.kinds.grid.formats.numbers import is_number, shown
from gridwell.kinds.grid.formats.text import LONGEST_LINE, file_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gridwell.kinds.grid.formats.text import Text

COMMENT: Final = ("#", "%", "!")
_DELIMITERS: Final = (";", ",", "\t")  #: in this order: a semicolon allows commas beside it
_ENERGIES: Final = ("energy", "charge", "e", "q", "charges", "partial_charge")


def read_table(text: Text) -> Rows:
    """Return the atoms of a table of four columns, or with a header of x, y, z and charge.

    A comment right above the first row may be the header, as numpy's savetxt writes it.

    Raises:
        InvalidJob: with what is wrong with each line.
    """
    lines = text.lines
    stripped = list(map(str.strip, lines))
    numbers = [k for k, line in enumerate(stripped, 1) if line and line[0] not in COMMENT]
    if not numbers:
        raise file_fault("the file holds nothing but comments; it should hold at least one atom")
    first = lines[numbers[0] - 1][:LONGEST_LINE]
    delimiter = next((mark for mark in _DELIMITERS if mark in first), None)
    header = fields_of(first, delimiter)
    if any(map(is_number, header)):
        columns, width = _above(lines[: numbers[0] - 1], delimiter)
        remark = "; without a header they are x, y, z and charge"
    else:
        columns, width = _columns(header, numbers.pop(0)), len(header)
        remark = ", as in the header"
    if not numbers:
        raise file_fault("the file holds a header and no atom below it")
    nonblank = sum(map(bool, stripped))
    return Rows(
        table=read_rows(
            [lines[k - 1] for k in numbers], numbers, _cutter(columns, width, delimiter, remark)
        ),
        numbers=numbers,
        skipped=nonblank - len(numbers),
        notes=text.notes,
    )


def fields_of(line: str, delimiter: str | None) -> list[str]:
    """Return the fields of a line, without blanks and quotes around them."""
    return [field.strip().strip("\"'").strip() for field in line.split(delimiter)]


def _cutter(
    columns: Sequence[int], width: int, delimiter: str | None, remark: str
) -> Callable[[str], Sequence[str]]:
    pick: Callable[[list[str]], tuple[str, ...]] = itemgetter(*columns)

    def cut(line: str) -> Sequence[str]:
        fields = fields_of(line, delimiter) if '"' in line or "'" in line else line.split(delimiter)
        if len(fields) != width:
            decimal = delimiter == "," and len(fields) > width
            raise BadLine(
                f"it has {len(fields)} fields where there should be {width}{remark}"
                + ("; a decimal mark must be a point, as commas part fields" if decimal else "")
            )
        return pick(fields)

    return cut


def _above(lines: Sequence[str], delimiter: str | None) -> tuple[Sequence[int], int]:
    """Return the columns that the comment above the first row names, else the first four."""
    above = next((line.strip() for line in reversed(lines) if line.strip()), "")
    names = fields_of(above[1:LONGEST_LINE].strip(), delimiter)
    if {name.lower() for name in names}.issuperset(NAMES[:3]):
        return _columns(names, len(lines)), len(names)
    return range(len(NAMES)), len(NAMES)


def _columns(header: Sequence[str], line: int) -> Sequence[int]:
    """Return the columns of x, y, z and charge."""
    names = [name.lower() for name in header]
    energies = [name for name in names if name in _ENERGIES]
    counts = {name: names.count(name) for name in NAMES[:3]} | {"charge": len(energies)}
    wrong = [f"{name} {n} times" if n else f"no {name}" for name, n in counts.items() if n != 1]
    if wrong:
        raise InvalidJob(
            line_fault(
                line,
                f"the header {shown(','.join(header))} names {', '.join(wrong)}; it should name "
                f"x, y, z and one of {', '.join(_ENERGIES)}",
            )
        )
    return *(names.index(name) for name in NAMES[:3]), names.index(energies[0])
