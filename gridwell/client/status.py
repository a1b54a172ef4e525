"""A job as the interface showed it: frozen, and tolerant of fields that are yet to come."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from gridwell.client.notebook_html import result_html
from gridwell.engine.errors import InvalidMessage
from gridwell.engine.job import UNFINISHED, JobError, JobState

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_MISSHAPEN: Final = (AttributeError, KeyError, TypeError, ValueError)
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The least potential of a grid, and where it is."""

    minimum: float  #: energy unit per length unit, to the last bit
    index: tuple[int, int, int]
    point: Triple  #: in the grid's unit of length

    def _repr_html_(self) -> str:
        return result_html(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One of the points that a job found."""

    index: tuple[int, int, int]
    point: Triple  #: in the grid's unit of length
    value: float  #: its potential, with the ions that were placed before it
    energy: float | None  #: of the ion that was placed there; None: none was


class Measure(NamedTuple):
    """How far a job has come."""

    done: int
    total: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """One look at a job."""

    id: str
    state: str  #: text and not an enum: an older client must be able to show a newer state
    origin: Triple
    spacing: Triple
    shape: tuple[int, int, int]
    atom_count: int
    seed: int | None  #: None where the caller sent the atoms
    min_distance: float
    softening: float
    points_done: int
    points_total: int
    chunks_done: int
    chunks_total: int
    workers: tuple[str, ...]  #: who computed chunks of it
    result: Result | None
    points: tuple[Point, ...]  #: in the order in which they were found
    points_found: int  #: of those wanted, as far as is known; while it runs a hint that only rises
    points_wanted: int
    ions: bool  #: whether an ion is placed at each of them
    error: JobError | None
    created: datetime
    finished: datetime | None
    links: dict[str, str]  #: paths below the service's URL
    fields: dict[str, Any] = field(repr=False, compare=False)  #: all that the service said

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in UNFINISHED

    @property
    def done(self) -> bool:
        """Whether it has ended with a result."""
        return self.state == JobState.DONE and self.result is not None

    @property
    def measure(self) -> Measure:
        """How far it has come: in points of its series, or else in points of the grid."""
        found, wanted = self.points_found, self.points_wanted
        if wanted == 1:
            words = f"{self.points_done:,} / {self.points_total:,} points"
            return Measure(self.points_done, self.points_total, words)
        what = "ion" if self.ions else "point"
        over = self.ended or found == wanted
        words = f"{found} of {wanted} {what}s" if over else f"{what} {found + 1} of {wanted}"
        return Measure(wanted if self.done else found, wanted, words)

    def after(self, seen: JobStatus) -> JobStatus:
        """The same, but with no fewer points of a series than were seen before."""
        alike = self.fields.get("attempt") == seen.fields.get("attempt")
        if self.ended or not alike or self.points_found >= seen.points_found:
            return self
        return replace(self, points_found=seen.points_found)

    @classmethod
    def decode(cls, fields: Any) -> JobStatus:
        """The status in a job's JSON.

        Raises:
            InvalidMessage: if it is no job.
        """
        return decoded("a job", lambda: _status(fields))


def decoded(what: str, read: Callable[[], _T]) -> _T:
    """What `read` makes of an answer.

    Raises:
        InvalidMessage: if the answer does not have the shape that `read` expects.
    """
    try:
        return read()
    except _MISSHAPEN as error:
        raise InvalidMessage(
            f"the answer is not {what} ({type(error).__name__}: {error}); "
            "check the URL, and that client and service are of one version"
        ) from error


def moment(text: str | None) -> datetime | None:
    """ISO 8601 as a time in its zone."""
    return None if text is None else datetime.fromisoformat(text)


def _status(fields: dict[str, Any]) -> JobStatus:
    grid, result, error = fields["grid"], fields["result"], fields["error"]
    points, series = tuple(map(_point, fields.get("points", ()))), fields.get("series") or {}
    return JobStatus(
        id=str(fields["id"]),
        state=str(fields["state"]),
        origin=_triple(grid["origin"]),
        spacing=_triple(grid["spacing"]),
        shape=_whole(grid["shape"]),
        atom_count=int(fields["atom_count"]),
        seed=fields["seed"],
        min_distance=float(fields["min_distance"]),
        softening=float(fields["softening"]),
        points_done=int(fields["progress"]["points_done"]),
        points_total=int(fields["progress"]["points_total"]),
        chunks_done=int(fields["chunks"]["done"]),
        chunks_total=int(fields["chunks"]["total"]),
        workers=tuple(str(worker) for worker in fields["workers"]),
        result=None
        if result is None
        else Result(
            minimum=float(result["minimum"]),
            index=_whole(result["index"]),
            point=_triple(result["point"]),
        ),
        points=points,
        points_found=int(series.get("found", len(points))),
        points_wanted=int(series.get("count", 1)),
        ions=series.get("energy") is not None,
        error=None if error is None else JobError(str(error["code"]), str(error["detail"])),
        created=datetime.fromisoformat(fields["created"]),
        finished=moment(fields["finished"]),
        links={str(name): str(path) for name, path in fields["links"].items()},
        fields=fields,
    )


def _point(fields: dict[str, Any]) -> Point:
    energy = fields["energy"]
    return Point(
        index=_whole(fields["index"]),
        point=_triple(fields["point"]),
        value=float(fields["value"]),
        energy=None if energy is None else float(energy),
    )


def _triple(values: list[float]) -> Triple:
    x, y, z = values
    return float(x), float(y), float(z)


def _whole(values: list[int]) -> tuple[int, int, int]:
    x, y, z = values
    return int(x), int(y), int(z)
