"""JSON files: rows of x, y, z and energy, or an object that has them under `atoms`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gridwell.engine.errors import InvalidJob
from gridwell.engine.json_text import RepeatedName, check_size, names_once, shown
from gridwell.kinds.grid.formats.atoms.atom_lines import line_fault
from gridwell.kinds.grid.formats.atoms.json_atoms import atoms_in
from gridwell.kinds.grid.formats.text import file_fault

if TYPE_CHECKING:
    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.formats.text import Text


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
