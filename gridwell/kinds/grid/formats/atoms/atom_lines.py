"""Lines that each hold one atom, as a table of numbers.

A block of lines is read in one go; only where that fails is each of its lines looked at, for
what to tell.  So a million atoms take seconds, and a faulty one is named by its line.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid.atoms import check_count
from gridwell.kinds.grid.formats.numbers import floats, number
from gridwell.kinds.grid.formats.text import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

REPORTED: Final = 20  #: faults told of one file: a wrong column makes every line faulty
NAMES: Final = ("x", "y", "z", "charge")
_BLOCK: Final = 10_000  #: lines cut together: the fields of a million would fill a gigabyte


class BadLine(ValueError):  # noqa: N818 - named for what it is
    """A line that should hold an atom does not have its fields; says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows and notes of a reader of one format."""

    table: NDArray[np.float64]  #: x, y, z and charge of each atom
    numbers: Sequence[int]  #: the line of each atom, from 1
    title: str = ""
    skipped: int = 0
    notes: tuple[str, ...] = ()


def line_fault(line: int, detail: str) -> Fault:
    """Return a fault of one line."""
    return Fault("/atoms", f"line {line}: {detail}")


def read_rows(
    lines: Sequence[str],
    numbers: Sequence[int],
    cut: Callable[[str], Sequence[str]],
    names: Sequence[str] = NAMES,
    mend: Callable[[str], str] | None = None,
) -> NDArray[np.float64]:
    """Return the numbers in lines.

    Args:
        lines: one for each atom.
        numbers: where each of them is in its file.
        cut: the fields of a line, one for each name; raises BadLine if it does not have them.
        names: of the fields.
        mend: tried on lines that cannot be read as they are.

    Raises:
        InvalidJob: with what is wrong with each line, up to the first few.
    """
    check_count(len(lines))
    table = np.empty((len(lines), len(names)))
    faults: list[Fault] = []
    for start in range(0, len(lines), _BLOCK):
        block = lines[start : start + _BLOCK]
        values = _in_one_go(block, cut)
        if values is None and mend is not None:
            block = [mend(line) for line in block]
            values = _in_one_go(block, cut)
        if values is None:
            values = _one_by_one(block, numbers[start : start + _BLOCK], cut, names, faults)
        table[start : start + _BLOCK] = values
    if faults:
        raise InvalidJob(*faults)
    return table


def _in_one_go(
    block: Sequence[str], cut: Callable[[str], Sequence[str]]
) -> NDArray[np.float64] | None:
    if max(map(len, block)) > LONGEST_LINE:
        return None
    try:
        fields = list(chain.from_iterable(map(cut, block)))
    except BadLine:
        return None
    values = floats(fields)
    return None if values is None else values.reshape(len(block), -1)


def _one_by_one(
    block: Sequence[str],
    numbers: Sequence[int],
    cut: Callable[[str], Sequence[str]],
    names: Sequence[str],
    faults: list[Fault],
) -> NDArray[np.float64]:
    """Return the numbers of a block, parsed line by line; append to `faults`.

    Raises:
        InvalidJob: as soon as there are more faults than an error lists.
    """
    values = np.zeros((len(block), len(names)))
    for row, (line, text) in enumerate(zip(numbers, block, strict=True)):
        if len(text) > LONGEST_LINE:
            faults.append(line_fault(line, f"{len(text)} characters are more than {LONGEST_LINE}"))
        else:
            try:
                fields = cut(text)
            except BadLine as error:
                faults.append(line_fault(line, str(error)))
            else:
                for column, (name, field) in enumerate(zip(names, fields, strict=True)):
                    try:
                        values[row, column] = number(field)
                    except ValueError as error:
                        faults.append(line_fault(line, f"{name} {error}"))
        if len(faults) > REPORTED:
            more = Fault("/atoms", f"more is faulty; the first {REPORTED} faults are listed")
            raise InvalidJob(*faults[:REPORTED], more)
    return values
