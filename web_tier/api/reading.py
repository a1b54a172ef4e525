"""From a request's body to a problem, with all its faults told together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from gridwell.domain import limits
from gridwell.domain.atoms import Atoms, random_atoms
from gridwell.domain.errors import Fault, GridwellError, InvalidJob
from gridwell.domain.grid import Grid
from gridwell.domain.messages import MAP_KIND, MINIMUM_KIND
from gridwell.domain.problem import Problem, option_faults
from gridwell.formats.json_rows import atoms_in, shown
from web_tier.api.models import JobRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails

_T = TypeVar("_T")
_DRAWN_WITH: Final = ("seed", "energy_range")  #: fields that belong to `atom_count`
_ENERGY_RANGE: Final = (-1.0, 1.0)
#: What stands for a grid's faulty part while the other parts are checked.
_HARMLESS: Final = {"origin": [0, 0, 0], "spacing": [1, 1, 1], "shape": [1, 1, 1]}


class NotJson(GridwellError):  # noqa: N818 - named for what it is, as all of that tree
    """The body is not JSON text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    problem: Problem
    seed: int | None = None  #: of its atoms, if they were drawn
    kind: str = MINIMUM_KIND  #: of job: what else is wanted but the minimum


def read_job(body: bytes) -> Asked:
    """What a body asks for.

    Raises:
        NotJson: if the body is not JSON, or is nested without end.
        InvalidJob: with every fault that can be seen at once.
    """
    try:
        # NaN and Infinity are no JSON, but many programs write them: read, they are refused with
        # a pointer to each.
        fields = from_json(body, allow_inf_nan=True)
    except ValueError as error:
        raise NotJson(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidJob(Fault("", f"{shown(fields)} is not an object with a job's fields"))
    return read_fields(fields)


def read_fields(fields: dict[str, Any]) -> Asked:
    """What a request's fields ask for.

    Raises:
        InvalidJob: with every fault that can be seen at once.
    """
    fields = {name: value for name, value in fields.items() if value is not None}
    faults: list[Fault] = []
    request = _parsed(fields, faults)
    faults += _choice_faults(fields)
    faults += option_faults(request.min_distance, request.softening)
    grid = _tried(lambda: _grid(request), faults)
    seed = None
    if request.atoms is not None:
        atoms = _tried(lambda: atoms_in(request.atoms), faults)
    else:
        seed = request.seed or 0
        atoms = _tried(lambda: _drawn(request, seed or 0, grid), faults)
    if request.keep_grid and grid is not None and atoms is not None:
        faults += map_faults(grid.points, atoms.count)
    if faults or grid is None or atoms is None:
        raise InvalidJob(*dict.fromkeys(faults))  # each once, in the order found
    return Asked(
        Problem(grid, atoms, request.min_distance, request.softening),
        seed,
        MAP_KIND if request.keep_grid else MINIMUM_KIND,
    )


def map_faults(points: int, atoms: int) -> list[Fault]:
    """Why a map of so many points and atoms cannot be kept."""
    faults = []
    if points > limits.MAX_MAP_POINTS:
        faults.append(
            f"a map of {points} points cannot be kept, at most one of {limits.MAX_MAP_POINTS}; "
            "take a coarser or a smaller grid, or leave keep_grid out: the minimum needs no map"
        )
    if points * atoms > limits.MAX_MAP_PAIRS:
        faults.append(
            f"a map of {points} points and {atoms} atoms takes {points * atoms:g} pairs, more "
            f"than {limits.MAX_MAP_PAIRS:g}; take fewer points, or leave keep_grid out: the "
            "minimum needs no map"
        )
    return [Fault("/keep_grid", detail) for detail in faults]


def _parsed(fields: dict[str, Any], faults: list[Fault]) -> JobRequest:
    """The request without its faulty parts, so that the others are checked all the same."""
    try:
        return JobRequest.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
    faults += [_fault(detail) for detail in details]
    mended = dict(fields)
    for detail in details:
        field, *inner = detail["loc"]
        if not inner or field != "grid":
            mended.pop(str(field), None)
            continue
        grid, part = dict(mended["grid"]), str(inner[0])
        grid.pop(part, None)
        mended["grid"] = grid | {part: _HARMLESS[part]} if part in _HARMLESS else grid
    return JobRequest.model_validate(mended)


def _choice_faults(fields: dict[str, Any]) -> list[Fault]:
    faults = []
    for short, long in (("grid_size", "grid"), ("atom_count", "atoms")):
        if short in fields and long in fields:
            faults.append(Fault(f"/{long}", f"give either {short} or {long}, not both"))
        elif short not in fields and long not in fields:
            faults.append(Fault(f"/{short}", f"give {short} or {long}; both are missing"))
    if "atoms" in fields:
        faults += [
            Fault(f"/{name}", f"{name} belongs to atom_count; leave it out where atoms are given")
            for name in _DRAWN_WITH
            if name in fields
        ]
    return faults


def _grid(request: JobRequest) -> Grid | None:
    if request.grid is not None:
        x, y, z = request.grid.origin
        dx, dy, dz = request.grid.spacing
        nx, ny, nz = request.grid.shape
        return Grid((x, y, z), (dx, dy, dz), (nx, ny, nz))
    if request.grid_size is None:
        return None
    try:
        return Grid.cube(request.grid_size)
    except InvalidJob as error:
        # The client sent one number, so that is what the faults are about.
        raise InvalidJob(*(Fault("/grid_size", fault.detail) for fault in error.faults)) from error


def _drawn(request: JobRequest, seed: int, grid: Grid | None) -> Atoms:
    low, high = request.energy_range or _ENERGY_RANGE
    # Without a grid or a count there will be no job (which is told already), but the other faults
    # are still worth telling.
    count = 1 if request.atom_count is None else request.atom_count
    return random_atoms(count, seed=seed, grid=grid or Grid.cube(1), energy_range=(low, high))


def _tried(make: Callable[[], _T | None], faults: list[Fault]) -> _T | None:
    try:
        return make()
    except InvalidJob as error:
        faults += error.faults
        return None


def _fault(detail: ErrorDetails) -> Fault:
    pointer = "".join(f"/{_escaped(part)}" for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = ", ".join(JobRequest.model_fields)
        text = f"there is no such field; a job has {known}"
        if len(detail["loc"]) > 1:
            text = "there is no such field; a grid has origin, spacing, shape"
        return Fault(pointer, text)
    if detail["type"] == "missing":
        return Fault(pointer, "this field is missing")
    return Fault(pointer, f"{shown(detail['input'])}: {detail['msg']}")


def _escaped(part: object) -> str:
    """A part of a JSON pointer (RFC 6901)."""
    return str(part).replace("~", "~0").replace("/", "~1")
