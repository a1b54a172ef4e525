"""The JSON of the grid kinds, as pydantic models: the OpenAPI document is made of them.

The limits stand here for readers only.  They are checked by the domain, whose errors name the
value and the remedy, so a limit is stated once and enforced once.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from gridwell.engine.job import JobState
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from gridwell.kinds.grid.series import IONS
from web_tier.api.models import ErrorShown

_COORDINATE: Final = {"minimum": -limits.MAX_COORDINATE, "maximum": limits.MAX_COORDINATE}
_ENERGY: Final = {"minimum": -limits.MAX_ENERGY, "maximum": limits.MAX_ENERGY}
_DISTANCE: Final = {"minimum": 0, "maximum": limits.MAX_DISTANCE}
_THREE: Final = Field(min_length=3, max_length=3)
_TWO: Final = Field(min_length=2, max_length=2)
_ATOMS_SCHEMA: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "maxItems": limits.MAX_ATOMS,
    "items": {
        "type": "array",
        "prefixItems": [
            *({"type": "number", "title": axis, **_COORDINATE} for axis in "xyz"),
            {"type": "number", "title": "energy", **_ENERGY},
        ],
        "minItems": 4,
        "maxItems": 4,
    },
}
#: The same of our own atoms: they are within the limits, which readers need not check again.
_ATOMS_SHOWN: Final[dict[str, Any]] = _ATOMS_SCHEMA | {
    "items": {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 4,
        "maxItems": 4,
        "description": "x, y, z, energy",
    }
}


class _Input(BaseModel):
    # JSON has no tuples, so triples are lists of a fixed length.
    model_config = ConfigDict(strict=True, extra="forbid")


class GridRequest(_Input):
    """A grid whose point (ix, iy, iz) lies at origin + spacing * (ix, iy, iz)."""

    origin: Annotated[list[Annotated[float, Field(json_schema_extra={**_COORDINATE})]], _THREE] = (
        Field(description="the centre of the first point")
    )
    spacing: Annotated[
        list[
            Annotated[
                float,
                Field(
                    json_schema_extra={
                        "minimum": limits.MIN_SPACING,
                        "maximum": limits.MAX_SPACING,
                    }
                ),
            ]
        ],
        _THREE,
    ] = Field(description="the distance between neighbours along each axis")
    shape: Annotated[
        list[Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": limits.MAX_AXIS})]],
        _THREE,
    ] = Field(description=f"points along each axis; at most {limits.MAX_POINTS} in all")


class PlaceRequest(_Input):
    """Ions to place, one after the other: each acts on the next ones as an atom of its energy."""

    count: int = Field(
        description="how many", json_schema_extra={"minimum": 1, "maximum": limits.MAX_SERIES}
    )
    energy: int = Field(
        description="of each: q times the potential is made least",
        json_schema_extra={"enum": [*IONS]},
    )
    min_distance: float | None = Field(
        None,
        description="the job's min_distance, which may also stand beside place",
        json_schema_extra={**_DISTANCE},
    )
    min_separation: float = Field(
        0.0,
        description="how far from one another ions are, at least",
        json_schema_extra={**_DISTANCE},
    )


def _either(first: tuple[str, str], second: tuple[str, str], *first_only: str) -> dict[str, Any]:
    """The schema of objects with one of two fields (name and type), not both."""
    absent = {"type": "null"}

    def only(here: tuple[str, str], *others: str) -> dict[str, Any]:
        properties = {here[0]: {"type": here[1]}} | dict.fromkeys(others, absent)
        return {"required": [here[0]], "properties": properties}

    return {"oneOf": [only(first, second[0]), only(second, first[0], *first_only)]}


def _complete(schema: dict[str, Any]) -> None:
    """Add what the fields alone do not say; `kind` is read before them."""
    schema["allOf"] = [
        _either(("grid_size", "integer"), ("grid", "object")),
        _either(("atom_count", "integer"), ("atoms", "array"), "seed", "energy_range"),
    ]
    schema["properties"]["kind"] = {
        "enum": [MINIMUM_KIND, SERIES_KIND, MAP_KIND, None],
        "description": "the kind of job that the other fields ask for; it may be left out",
    }


class JobRequest(_Input):
    """A problem: `grid_size` or `grid`, and `atom_count` (with `seed`) or `atoms`.

    Null is the same as leaving a field out: writers of JSON differ in that.
    """

    model_config = ConfigDict(json_schema_extra=_complete)

    grid_size: int | None = Field(
        None,
        description="n is short for n x n x n points at the integer coordinates 0..n-1",
        json_schema_extra={"minimum": 1, "maximum": int(limits.MAX_POINTS ** (1 / 3))},
    )
    grid: GridRequest | None = Field(None, description="any other regular grid")
    atom_count: int | None = Field(
        None,
        description="how many atoms to draw, uniformly in the grid's box",
        json_schema_extra={"minimum": 1, "maximum": limits.MAX_ATOMS},
    )
    seed: int | None = Field(
        None,
        description="the same seed draws the same atoms for ever; 0 if it is left out",
        json_schema_extra={"minimum": 0, "maximum": limits.MAX_SEED},
    )
    energy_range: (
        Annotated[
            list[Annotated[float, Field(json_schema_extra={**_ENERGY})]],
            _TWO,
        ]
        | None
    ) = Field(None, description="energies are drawn from [low, high); [-1, 1] if it is left out")
    # Any: a million atoms are checked by numpy in a tenth of the time; see `reading`.
    atoms: Any = Field(
        None,
        description="your own atoms, as [x, y, z, energy]; an energy is 0, or of an absolute "
        f"value from {limits.MIN_ENERGY:g} to {limits.MAX_ENERGY:g}",
        json_schema_extra={**_ATOMS_SCHEMA, "type": ["array", "null"]},
    )
    min_distance: float = Field(
        0.0,
        description="points nearer than this to any atom do not qualify",
        json_schema_extra={**_DISTANCE},
    )
    softening: float = Field(
        0.0,
        description="distances below this count as this",
        json_schema_extra={**_DISTANCE},
    )
    top: int | None = Field(
        None,
        description="how many points are wanted: the least, then the least of those at "
        "min_separation from it, and so on",
        json_schema_extra={"minimum": 1, "maximum": limits.MAX_SERIES},
    )
    min_separation: float | None = Field(
        None,
        description="how far from one another the points of top are, at least; 0 if it is left out",
        json_schema_extra={**_DISTANCE},
    )
    place: PlaceRequest | None = Field(None, description="ions to place, instead of top")
    keep_grid: bool = Field(
        default=False,
        description="keep the potential of every point, to download: of "
        f"{limits.MAX_MAP_POINTS} points and {limits.MAX_MAP_PAIRS:g} pairs of a point and an "
        "atom at most, and not with top or place. It is another job than without, and computes "
        "every point",
    )


class GridShown(BaseModel):
    """The grid of a job."""

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]


class ProgressShown(BaseModel):
    """How far a job has come, in grid points."""

    points_done: int
    points_total: int


class ChunksShown(BaseModel):
    """How far a job has come, in chunks: boxes of the grid, numbered in C order."""

    done: int
    total: int
    cuts: list[list[int]] = Field(description="where each axis is cut, from 0 to its length")
    finished: list[int] = Field(description="the numbers of the chunks that are done")


class ResultShown(BaseModel):
    """The least potential and where it is; where ions of energy q are placed, q times it."""

    minimum: float
    index: tuple[int, int, int]
    point: tuple[float, float, float]


class PointShown(BaseModel):
    """One of the points that a job found."""

    index: tuple[int, int, int]
    point: tuple[float, float, float]
    value: float = Field(description="its potential, with the ions that were placed before it")
    energy: float | None = Field(description="of the ion there: q times the value; null: none is")


class SeriesShown(BaseModel):
    """The points that are wanted."""

    count: int
    min_separation: float
    energy: int | None = Field(description="of the ion that is placed at each; null: none is")
    found: int = Field(description="how many are found, as far as its worker has told")


class PointsShown(BaseModel):
    """The first points of a job, in the order in which they were found."""

    job: str = Field(description="the job that found them")
    wanted: int
    points: list[PointShown] = Field(description="fewer than wanted where no other one qualifies")


class LinksShown(BaseModel):
    """Where the rest of a job is."""

    self: str
    atoms: str
    record: str
    result: str
    events: str
    page: str


class JobShown(BaseModel):
    """A job."""

    id: str
    state: str = Field(json_schema_extra={"enum": [state.value for state in JobState]})
    grid: GridShown
    atom_count: int
    seed: int | None = Field(description="null for your own atoms")
    min_distance: float
    softening: float
    series: SeriesShown | None = Field(description="null: only the least point is wanted")
    progress: ProgressShown
    chunks: ChunksShown
    workers: list[str] = Field(description="who computed chunks of it")
    problem: str = Field(description="the sha256 that is the problem's identity")
    keep_grid: bool = Field(description="whether the potential of every point is kept")
    grids: list[str] = Field(description="where that map is, in each format, once it is done")
    attempt: str
    run: int
    result: ResultShown | None = Field(description="the first point")
    points: list[PointShown] = Field(description="those that a done job found")
    error: ErrorShown | None
    created: str = Field(json_schema_extra={"format": "date-time"})
    finished: str | None = Field(json_schema_extra={"format": "date-time"})
    links: LinksShown


class AtomsShown(BaseModel):
    """The atoms of a job, in the form in which they can be posted again."""

    atoms: Any = Field(json_schema_extra=_ATOMS_SHOWN)
