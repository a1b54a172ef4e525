"""Read the form of a new job as a problem, with every fault at its field."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid.fit_grid import fit
from gridwell.kinds.grid.formats.atoms.read import read_atoms
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND
from gridwell.kinds.grid.problem import Problem
from web_tier.kinds.grid.examples import EXAMPLES
from web_tier.kinds.grid.request import (
    GridQuestion,
    lone_map_faults,
    map_faults,
    read_fields,
    read_series,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.series import Series
    from web_tier.kind import Upload

RANDOM, EXAMPLE, FILE = "random", "example", "file"

#: A form that works as it stands.
DEFAULTS: Final[dict[str, str]] = {
    "source": EXAMPLE,
    "example": next(iter(EXAMPLES)),
    "atom_count": "200",
    "seed": "1",
    "grid_size": "40",
    "spacing": "0.5",
    "margin": "4",
    "min_distance": "2",
    "softening": "0",
    "count": "",
    "energy": "0",
    "min_separation": "5",
    "keep_grid": "",
}
_NUMBER: Final = re.compile(r"[+-]?(\d{1,19}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_LONGEST: Final = 100  #: characters of a field
_OF_RANDOM: Final = ("atom_count", "seed", "grid_size")
_OF_ATOMS: Final = ("spacing", "margin")
_OPTIONS: Final = ("min_distance", "softening")
_OF_SERIES: Final = ("count", "energy", "min_separation")
_NUMBERS: Final = (*_OF_RANDOM, *_OF_ATOMS, *_OPTIONS, *_OF_SERIES)
_NAMED: Final = (*_NUMBERS, "keep_grid")  #: fields that show their faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form as it is shown: what was typed, and what is wrong with it."""

    values: Mapping[str, str]
    faults: Mapping[str, str] = field(default_factory=dict)  #: by the field's name
    others: tuple[str, ...] = ()  #: faults that belong to no field


def filled(given: Mapping[str, str]) -> dict[str, str]:
    """Return what was typed, and defaults for what was not sent.

    Cut: the page shows all of it again, and nothing as long is a value.
    """
    return {name: given.get(name, default).strip()[:_LONGEST] for name, default in DEFAULTS.items()}


def read_form(values: Mapping[str, str], upload: Upload | None) -> GridQuestion:
    """Return what a form asks for.

    Args:
        values: every field of the form.
        upload: the file, if one was chosen.

    Raises:
        InvalidJob: with every fault; its pointers are names of fields.
    """
    numbers = {name: _number(values[name]) for name in _NUMBERS}
    options = {name: numbers[name] for name in _OPTIONS}
    keep_grid = bool(values["keep_grid"])  # a browser sends nothing of an empty box
    if values["source"] == RANDOM:
        drawn = {name: numbers[name] for name in _OF_RANDOM}
        return read_fields(drawn | options | _asked(numbers) | {"keep_grid": keep_grid})
    faults = [
        Fault(f"/{name}", f"{values[name]!r} is not a number")
        for name in (*_OF_ATOMS, *_OPTIONS)
        if not isinstance(numbers[name], int | float) or not math.isfinite(numbers[name])
    ]
    atoms, read = None, ""
    try:
        atoms, read = _atoms(values, upload)
    except InvalidJob as error:
        faults += error.faults
    series = None
    try:
        series = _series(values, numbers)
    except InvalidJob as error:
        faults += error.faults
    faults += lone_map_faults(series) if keep_grid else []
    if faults or atoms is None:
        raise InvalidJob(*faults)
    grid = fit(atoms, spacing=float(numbers["spacing"]), margin=float(numbers["margin"]))
    min_distance, softening = (float(options[name]) for name in _OPTIONS)
    problem = Problem(grid, atoms, min_distance, softening, series=series)
    if keep_grid and (faults := map_faults(grid.points, atoms.count)):
        raise InvalidJob(*faults)
    return GridQuestion(problem, kind=MAP_KIND if keep_grid else MINIMUM_KIND, read=read)


def with_faults(values: Mapping[str, str], error: InvalidJob) -> Form:
    """Return the form with its faults, each at its field."""
    faults: dict[str, str] = {}
    others: list[str] = []
    for fault in error.faults:
        parts = ["count" if part == "top" else part for part in fault.pointer.split("/")[1:]]
        name = next((part for part in reversed(parts) if part in _NAMED), "")
        if parts and parts[0] in ("atoms", "file") and values["source"] == FILE:
            name = "file"
        if name:
            faults[name] = f"{faults[name]}; {fault.detail}" if name in faults else fault.detail
        else:
            others.append(fault.detail)
    return Form(values=values, faults=faults, others=tuple(others))


def _asked(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The points that are wanted, as the interface says it."""
    count, energy, separation = (numbers[name] for name in _OF_SERIES)
    if not energy:
        return {} if count is None else {"top": count, "min_separation": separation}
    return {
        "place": {
            "count": 1 if count is None else count,
            "energy": energy,
            "min_separation": separation,
        }
    }


def _series(values: Mapping[str, str], numbers: Mapping[str, Any]) -> Series | None:
    """The points that are wanted of an example, which may say so itself, or of a file."""
    if numbers["count"] is None and values["source"] == EXAMPLE and values["example"] in EXAMPLES:
        return EXAMPLES[values["example"]].series
    return read_series(_asked(numbers))


def _atoms(values: Mapping[str, str], upload: Upload | None) -> tuple[Atoms, str]:
    """The atoms that are wanted, and what was read of their file."""
    if values["source"] == EXAMPLE:
        example = EXAMPLES.get(values["example"])
        if example is None:
            known = ", ".join(EXAMPLES)
            raise InvalidJob(Fault("/example", f"{values['example']!r} is none of {known}"))
        return example.atoms, ""
    if values["source"] != FILE:
        raise InvalidJob(Fault("/source", f"{values['source']!r} is not a source of atoms"))
    if upload is None:
        raise InvalidJob(Fault("/file", "choose a file with atoms and their charges"))
    found = read_atoms(upload.data, name=upload.name)
    return found.atoms, "; ".join((found.words, *found.notes))


def _number(text: str) -> Any:
    """A number where the text is one; anything else stays as it was typed, for its fault."""
    if not _NUMBER.fullmatch(text):
        return text or None
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
