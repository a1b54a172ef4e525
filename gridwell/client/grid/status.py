"""A job of the grid kinds as the interface showed it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from gridwell.client.notebook_html import table
from gridwell.client.status import JobStatus, Measure, common_values
from gridwell.engine.job import JobState
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The least potential of a grid, and where it is."""

    minimum: float  #: energy unit per length unit, to the last bit
    index: tuple[int, int, int]
    point: Triple  #: in the grid's unit of length

    def facts(self) -> list[tuple[str, str]]:
        """Return names and values; numbers keep every bit."""
        return [
            ("minimum", repr(self.minimum)),
            ("point", repr(self.point)),
            ("index", repr(self.index)),
        ]

    def _repr_html_(self) -> str:
        return table(self.facts())


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One of the points that a job found."""

    index: tuple[int, int, int]
    point: Triple  #: in the grid's unit of length
    value: float  #: its potential, with the ions that were placed before it
    energy: float | None  #: of the ion that was placed there; None: none was


@dataclass(frozen=True, slots=True, kw_only=True)
class GridStatus(JobStatus):
    """One look at a job of the grid kinds: a task of it is a chunk."""

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
    points: tuple[Point, ...]  #: in the order in which they were found
    points_found: int  #: of those wanted, as far as is known; while it runs a hint that only rises
    points_wanted: int
    ions: bool  #: whether an ion is placed at each of them
    result: Result | None

    @property
    def kind(self) -> str:
        """The kind of work, which the JSON of these kinds leaves to their fields."""
        if self.fields.get("keep_grid"):
            return MAP_KIND
        return MINIMUM_KIND if self.fields.get("series") is None else SERIES_KIND

    @property
    def done(self) -> bool:
        """True if it has ended with a result."""
        return self.state == JobState.DONE and self.result is not None

    @property
    def measure(self) -> Measure:
        """Its progress, in points of its series or else of the grid."""
        found, wanted = self.points_found, self.points_wanted
        if wanted == 1:
            words = f"{self.points_done:,} / {self.points_total:,} points"
            return Measure(self.points_done, self.points_total, words)
        what = "ion" if self.ions else "point"
        over = self.ended or found == wanted
        words = f"{found} of {wanted} {what}s" if over else f"{what} {found + 1} of {wanted}"
        return Measure(wanted if self.done else found, wanted, words)

    @property
    def steps_in_stream(self) -> bool:
        """Points and chunks are in the stream of events."""
        return True

    @property
    def counts(self) -> str:
        """The chunks that are done."""
        return f"{self.chunks_done}/{self.chunks_total} chunks"

    @property
    def rate_unit(self) -> str:
        """Points; of a series a few points a minute would say nothing."""
        return "points/s" if self.points_wanted == 1 else ""

    @property
    def subject(self) -> str:
        """The shape of the grid, and the number of atoms."""
        return f"{'x'.join(map(str, self.shape))} x {self.atom_count}"

    @property
    def answer(self) -> str:
        """The least potential and its index; empty before the job is done."""
        found = self.result
        return "" if found is None else f"{found.minimum!r} at {_bracketed(found.index)}"

    def facts(self) -> list[tuple[str, str]]:
        """Return grid and atoms, and the result if there is one."""
        asked = [
            ("grid", " x ".join(map(str, self.shape))),
            ("atoms", f"{self.atom_count:,}"),
        ]
        return asked if self.result is None else [*asked, *self.result.facts()]

    def answer_facts(self) -> list[tuple[str, str]]:
        """Return the result of a done job, and what it is of."""
        if self.result is None:
            return []
        origin = "" if self.seed is None else f", seed {self.seed}"
        return [
            ("minimum", repr(self.result.minimum)),
            ("point", _bracketed(self.result.point)),
            ("index", _bracketed(self.result.index)),
            ("grid", f"{' x '.join(map(str, self.shape))} = {self.points_total:,} points"),
            ("atoms", f"{self.atom_count:,}{origin}"),
            ("chunks", f"{self.chunks_total}"),
        ]

    def further_lines(self) -> list[str]:
        """Return the points of a series, one a line; none for the least point alone."""
        found, wanted = self.points, self.points_wanted
        ions = any(point.energy is not None for point in found)
        if wanted == 1 and not ions:
            return []
        lines = [
            f"{'ion' if ions else 'point':<6}{number:<4}"
            f"{(point.value if point.energy is None else point.energy)!r} at "
            f"{_bracketed(point.point)}"
            for number, point in enumerate(found, start=1)
        ]
        if len(found) < wanted:
            lines.append(f"{len(found)} of the {wanted} that were wanted: no other point qualifies")
        return lines

    def moved(self, step: dict[str, Any]) -> Self:
        """Return the status after a step of its stream of events."""
        finished = [int(chunk) for chunk in step["finished"]]
        points, series = int(step["points_done"]), step.get("series") or {}
        found = max(self.points_found, int(series.get("found", 0)))
        fields = self.fields | {
            "state": step["state"],
            "progress": self.fields["progress"] | {"points_done": points},
            "chunks": self.fields["chunks"] | {"done": len(finished), "finished": finished},
            "series": self.fields.get("series") and self.fields["series"] | {"found": found},
        }
        return replace(
            self,
            state=str(step["state"]),
            points_done=points,
            chunks_done=len(finished),
            points_found=found,
            fields=fields,
        )

    def after(self, seen: JobStatus) -> Self:
        """Return the same, but with no fewer points of a series than were seen before."""
        alike = self.fields.get("attempt") == seen.fields.get("attempt")
        found = seen.points_found if isinstance(seen, GridStatus) else 0
        if self.ended or not alike or self.points_found >= found:
            return self
        return replace(self, points_found=found)

    @classmethod
    def _values(cls, fields: dict[str, Any]) -> dict[str, Any]:
        grid, result = fields["grid"], fields["result"]
        points, series = tuple(map(_point, fields.get("points", ()))), fields.get("series") or {}
        return common_values(fields) | {
            "origin": _triple(grid["origin"]),
            "spacing": _triple(grid["spacing"]),
            "shape": _whole(grid["shape"]),
            "atom_count": int(fields["atom_count"]),
            "seed": fields["seed"],
            "min_distance": float(fields["min_distance"]),
            "softening": float(fields["softening"]),
            "points_done": int(fields["progress"]["points_done"]),
            "points_total": int(fields["progress"]["points_total"]),
            "chunks_done": int(fields["chunks"]["done"]),
            "chunks_total": int(fields["chunks"]["total"]),
            "result": None
            if result is None
            else Result(
                minimum=float(result["minimum"]),
                index=_whole(result["index"]),
                point=_triple(result["point"]),
            ),
            "points": points,
            "points_found": int(series.get("found", len(points))),
            "points_wanted": int(series.get("count", 1)),
            "ions": series.get("energy") is not None,
        }


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


def _bracketed(values: tuple[float, float, float]) -> str:
    return f"({', '.join(map(repr, values))})"
