"""Atoms in a JSON value: a request's, or a file's.

A million atoms are four million floats, which numpy converts in one go after a check of their
types. Only a list that fails the check is searched value by value for its faults.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.json_text import RepeatedName, check_size, names_once, shown
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.formats.atoms.atom_lines import line_fault
from gridwell.kinds.grid.formats.text import file_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.kinds.grid.formats.text import Text

_COLUMNS: Final = 4
_NUMBERS: Final = frozenset({int, float})  #: bool is a type of its own here, and not among them
_REPORTED: Final = 20


def atoms_in(value: Any) -> Atoms:
    """Atoms from the JSON value `[[x, y, z, energy], …]`.

    Raises:
        InvalidJob: with a pointer to each faulty value, up to a few.
    """
    if not isinstance(value, list):
        raise InvalidJob(Fault("/atoms", f"{shown(value)} is not a list of [x, y, z, energy] rows"))
    if not value:
        raise InvalidJob(Fault("/atoms", "there are no atoms; give at least one"))
    if not _is_table(value):
        raise InvalidJob(*_some(_faults(value)))
    numbers = itertools.chain.from_iterable(value)
    try:
        table = np.fromiter(numbers, dtype=np.float64, count=_COLUMNS * len(value))
    except OverflowError as error:
        raise InvalidJob(*_some(_overflows(value))) from error
    return Atoms.from_rows(table.reshape(-1, _COLUMNS))


def read_json(text: Text) -> Atoms:
    """Return the atoms of a JSON file.

    Raises:
        InvalidJob: with a pointer to each faulty value, up to a few.
    """
    value = _parsed(text)
    if isinstance(value, dict):
        if "atoms" not in value:
            raise file_fault(
                f'the object {shown(value)} has no field "atoms"; give '
                '{"atoms": [[x, y, z, energy], ...]}'
            )
        value = value["atoms"]
    return atoms_in(value)


def _parsed(text: Text) -> Any:
    whole = "\n".join(text.lines)
    check_size(whole, "/atoms")
    try:
        # NaN and Infinity are no JSON, but many programs write them: read, they are refused with
        # a pointer to each.
        return json.loads(whole, object_pairs_hook=names_once)
    except RepeatedName as error:
        raise file_fault(f"the JSON has an object in which {error}") from error
    except json.JSONDecodeError as error:
        detail = f"this is not JSON, from column {error.colno} on: {error.msg}"
        raise InvalidJob(line_fault(error.lineno, detail)) from error
    except RecursionError as error:
        raise file_fault("the JSON is nested without end; give [[x, y, z, energy], ...]") from error
    except ValueError as error:
        raise file_fault("the JSON holds a number of thousands of digits") from error


def _is_table(rows: list[Any]) -> bool:
    return (
        set(map(type, rows)) == {list}
        and set(map(len, rows)) == {_COLUMNS}
        and set(map(type, itertools.chain.from_iterable(rows))) <= _NUMBERS
    )


def _faults(rows: list[Any]) -> Iterator[Fault]:
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != _COLUMNS:
            yield Fault(f"/atoms/{i}", f"{shown(row)} is not [x, y, z, energy]")
            continue
        for k, value in enumerate(row):
            if type(value) not in _NUMBERS:
                yield Fault(f"/atoms/{i}/{k}", f"{shown(value)} is not a number")


def _overflows(rows: list[list[float]]) -> Iterator[Fault]:
    for i, row in enumerate(rows):
        for k, value in enumerate(row):
            try:
                float(value)
            except OverflowError:
                yield Fault(f"/atoms/{i}/{k}", f"{shown(value)} is too large for a float64")


def _some(faults: Iterator[Fault]) -> list[Fault]:
    """Return the first faults, and a word that there are more."""
    first = list(itertools.islice(faults, _REPORTED))
    if next(faults, None) is not None:
        first.append(Fault("/atoms", f"more values are faulty; the first {_REPORTED} are listed"))
    return first
