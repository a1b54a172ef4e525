"""Read the fields of a request as a problem, and report all faults together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from gridwell.engine.errors import POINTER, Fault, InvalidJob
from gridwell.engine.json_text import shown
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.formats.atoms.json_atoms import atoms_in
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from gridwell.kinds.grid.problem import Problem, option_faults
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.work import work_of
from web_tier.kinds.grid.models import GridRequest, JobRequest, PlaceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_core import ErrorDetails

    from gridwell.engine.kind import Work

_T = TypeVar("_T")
_DRAWN_WITH: Final = ("seed", "energy_range")  #: fields that belong to `atom_count`
_ENERGY_RANGE: Final = (-1.0, 1.0)
#: What stands for an object's faulty part while the other parts are checked.
_HARMLESS: Final[dict[str, Any]] = {
    "origin": [0, 0, 0],
    "spacing": [1, 1, 1],
    "shape": [1, 1, 1],
    "count": 1,
    "energy": 1,
}


_UNKNOWN: Final = 20  #: unknown names of an object that are listed: a client chooses their number
#: Objects within a request.
_PARTS: Final[dict[str, type[BaseModel]]] = {"grid": GridRequest, "place": PlaceRequest}


@dataclass(frozen=True, slots=True)
class GridQuestion:
    """A problem, and the kind of job that is wanted of it."""

    problem: Problem
    seed: int | None = None  #: of its atoms, if they were drawn
    kind: str = MINIMUM_KIND  #: of job: what else is wanted but the problem's points
    read: str = ""  #: what was read of its file, for people

    @property
    def job_kind(self) -> str:
        """The kind of its job: a series is one of its own."""
        return self.kind if self.problem.series is None else SERIES_KIND

    def work(self) -> Work:
        """Return it as the engine takes it."""
        return work_of(self.problem, kind=self.kind, seed=self.seed)


def read_fields(fields: dict[str, Any]) -> GridQuestion:
    """Return what a request's fields ask for.

    Raises:
        InvalidJob: with every fault that can be seen at once.
    """
    fields = {name: value for name, value in fields.items() if value is not None}
    faults: list[Fault] = []
    request = _parsed(fields, faults)
    faults += _choice_faults(fields)
    faults += _series_faults(fields, request)
    min_distance = request.min_distance
    if request.place is not None and request.place.min_distance is not None:
        min_distance = request.place.min_distance
    own = "" if min_distance == request.min_distance else "/place"
    faults += (
        Fault(
            f"{own}{fault.pointer}" if fault.pointer == "/min_distance" else fault.pointer,
            fault.detail,
        )
        for fault in option_faults(min_distance, request.softening)
    )
    series = _tried(lambda: _series(request), faults)
    grid = _tried(lambda: _grid(request), faults)
    seed = None
    if request.atoms is not None:
        atoms = _tried(lambda: atoms_in(request.atoms), faults)
    else:
        seed = request.seed or 0
        atoms = _tried(lambda: _drawn(request, seed or 0, grid), faults)
    if request.keep_grid:
        faults += lone_map_faults(series)
        if grid is not None and atoms is not None:
            faults += map_faults(grid.points, atoms.count)
    if faults or grid is None or atoms is None:
        raise InvalidJob(*dict.fromkeys(faults))  # each once, in the order found
    return GridQuestion(
        Problem(grid, atoms, min_distance, request.softening, series=series),
        seed,
        MAP_KIND if request.keep_grid else MINIMUM_KIND,
    )


def read_series(fields: dict[str, Any]) -> Series | None:
    """Return the points that `top` or `place` of a request ask for; None: the least one.

    Raises:
        InvalidJob: with every fault that can be seen at once.
    """
    fields = {name: value for name, value in fields.items() if value is not None}
    faults: list[Fault] = []
    request = _parsed(fields, faults)
    faults += _series_faults(fields, request)
    series = _tried(lambda: _series(request), faults)
    if faults:
        raise InvalidJob(*dict.fromkeys(faults))
    return series


def lone_map_faults(series: Series | None) -> list[Fault]:
    """Return the reason why no map is kept of a job that asks for a series too."""
    if series is None or series.is_plain:
        return []
    field = series.path.split("/")[1]
    return [
        Fault(
            "/keep_grid",
            f"give either keep_grid or {field}, not both: a map is kept of a job for one point, "
            "not of one for several points or for ions",
        )
    ]


def map_faults(points: int, atoms: int) -> list[Fault]:
    """Return the reasons why a map of so many points and atoms cannot be kept."""
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
    """Return the request without its faulty parts, so that the others are checked all the same.

    Unknown names are taken out first, so that no step after costs more than the known fields do.
    """
    known = _known(fields, JobRequest, faults)
    for part, model in _PARTS.items():
        if isinstance(inner := known.get(part), dict):
            known[part] = _known(inner, model, faults, part)
    try:
        return JobRequest.model_validate(known)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
    faults += [_fault(detail) for detail in details]
    for detail in details:
        field, *inner = map(str, detail["loc"])
        if not inner or field not in _PARTS:
            known.pop(field, None)
        elif inner[0] in _HARMLESS:
            known[field][inner[0]] = _HARMLESS[inner[0]]  # a copy of ours
        else:
            known[field].pop(inner[0], None)
    return JobRequest.model_validate(known)


def _known(
    fields: dict[str, Any], model: type[BaseModel], faults: list[Fault], part: str = ""
) -> dict[str, Any]:
    """Return a copy of an object with its known names, and list the others as faults: a few."""
    known = {name: fields[name] for name in model.model_fields if name in fields}
    more = len(fields) - len(known)
    if not more:
        return known
    unknown = (name for name in fields if name not in known)
    what = f"{part} has" if part else "a job has"
    names = ", ".join(model.model_fields)
    at = f"/{part}" if part else ""
    faults += (
        Fault(f"{at}/{_escaped(name)}", f"there is no such field; {what} {names}")
        for name in islice(unknown, _UNKNOWN)
    )
    if more > _UNKNOWN:
        faults.append(Fault(at, f"{more - _UNKNOWN:,} more unknown fields are not listed"))
    return known


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


def _series_faults(fields: dict[str, Any], request: JobRequest) -> Iterator[Fault]:
    place = request.place
    if "top" in fields and "place" in fields:
        yield Fault("/place", "give either top or place, not both")
    elif "place" in fields and "min_separation" in fields:
        yield Fault("/min_separation", "where ions are placed, min_separation belongs into place")
    elif "min_separation" in fields and "top" not in fields:
        yield Fault(
            "/min_separation",
            "min_separation belongs to top, how many points are wanted; give both, or neither",
        )
    apart = None if place is None else place.min_distance
    if apart is not None and apart != fields.get("min_distance", apart):
        yield Fault(
            "/place/min_distance",
            f"{apart!r} is not the job's min_distance {request.min_distance!r}; "
            "give only one of them",
        )


def _series(request: JobRequest) -> Series | None:
    if (place := request.place) is not None:
        return Series(place.count, place.min_separation, place.energy)
    return None if request.top is None else Series(request.top, request.min_separation or 0.0)


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
    pointer = "".join(f"/{part}" for part in detail["loc"])
    if detail["type"] == "missing":
        return Fault(pointer, "this field is missing")
    return Fault(pointer, f"{shown(detail['input'])}: {detail['msg']}")


def _escaped(name: str) -> str:
    """Return a name as a part of a JSON pointer (RFC 6901): as much of it as a fault shows."""
    return name[: POINTER + 1].replace("~", "~0").replace("/", "~1")
