"""MOL2: Tripos's sections, the charge in the ninth column of @<TRIPOS>ATOM."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.formats.atoms.atom_lines import BadLine, Rows, read_rows
from gridwell.kinds.grid.formats.text import file_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gridwell.kinds.grid.formats.text import Text

SECTION: Final = "@<TRIPOS>"
_MOLECULE: Final = "@<TRIPOS>MOLECULE"
_ATOM: Final = "@<TRIPOS>ATOM"
_WIDTH: Final = 9
_NAME, _COUNTS, _CHARGE_TYPE = 1, 2, 4  #: lines after that of the molecule's section
_pick: Callable[[list[str]], tuple[str, ...]] = itemgetter(2, 3, 4, 8)


def read_mol2(text: Text) -> Rows:
    """Return the atoms of a MOL2 file's first molecule.

    Raises:
        InvalidJob: if it holds no charges, is cut short, or a line is faulty.
    """
    lines = text.lines
    sections = [k for k, line in enumerate(lines) if line and line.startswith(SECTION)]
    starts = [k for k in sections if lines[k].rstrip() == _MOLECULE]
    begin = next((k for k in sections if lines[k].rstrip() == _ATOM), None)
    if begin is None:
        raise file_fault(f"the file has no section {_ATOM}")
    head = max((k for k in starts if k < begin), default=None)
    if head is not None and _line(lines, head + _CHARGE_TYPE) == "NO_CHARGES":
        raise file_fault(
            f"line {head + _CHARGE_TYPE + 1} says NO_CHARGES; let a program assign charges first"
        )
    end = next((k for k in sections if k > begin), len(lines))
    numbers = [
        k
        for k, line in enumerate(lines[begin + 1 : end], begin + 2)
        if line and line[0] != "#" and not line.isspace()
    ]
    if not numbers:
        raise file_fault(f"the section {_ATOM} is empty")
    _check_count(_line(lines, head + _COUNTS) if head is not None else "", len(numbers))
    notes = text.notes
    if len(starts) > 1:
        notes = (*notes, f"the file holds {len(starts)} molecules: the first was read")
    return Rows(
        table=read_rows([lines[k - 1] for k in numbers], numbers, cut),
        numbers=numbers,
        title=_line(lines, head + _NAME) if head is not None else "",
        skipped=sum(map(bool, map(str.strip, lines))) - len(numbers),
        notes=notes,
    )


def cut(line: str) -> Sequence[str]:
    """Return the fields x, y, z and charge of a line.

    Raises:
        BadLine: if it has no ninth field.
    """
    fields = line.split()
    if len(fields) < _WIDTH:
        raise BadLine(
            f"it has {len(fields)} fields; the charge is the ninth: "
            "id name x y z type residue name charge"
        )
    return _pick(fields)


def _line(lines: Sequence[str], k: int) -> str:
    return lines[k].strip() if k < len(lines) else ""


def _check_count(counts: str, found: int) -> None:
    stated = counts.split()[:1]
    if stated and stated[0] != str(found) and stated[0].isascii() and stated[0].isdigit():
        raise file_fault(
            f"the molecule should have {stated[0][:20]} atoms, but {found} lines follow; the file "
            "is cut short, or the count is wrong"
        )
