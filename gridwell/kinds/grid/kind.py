"""The grid kinds on the engine's side: which reports fit, and how jobs end."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from gridwell.engine.errors import InvalidMessage
from gridwell.engine.job import JobError
from gridwell.engine.kind import Draw, Ended, Flaw
from gridwell.kinds.grid import cost
from gridwell.kinds.grid.answer import encode_answer
from gridwell.kinds.grid.feasibility import NO_CANDIDATE_DETAIL, NO_CANDIDATE_POINT
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.likely_minimum import find_incumbent
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.record import record
from gridwell.kinds.grid.replicas import agree
from gridwell.kinds.grid.sampling import sampled_points
from gridwell.kinds.grid.series_points import find_flaw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridwell.engine.job import Job
    from gridwell.engine.messages import ResultMessage
    from gridwell.engine.register import Best
    from gridwell.engine.replica import Replica


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GridKind:
    """A kind whose tasks are boxes of a grid, and whose register is a minimum's key.

    Attributes:
        name: on the wire.
        keeps_map: whether each task stores a file.
        has_series: whether a report lists points, and progress counts them.
    """

    name: str
    keeps_map: bool = False
    has_series: bool = False

    @property
    def reports_progress(self) -> bool:
        """Return whether workers report how many points of a task are found."""
        return self.has_series

    def seconds(self, job: Job) -> float:
        """Return the estimated seconds of one core for a job."""
        view = grid_view(job)
        return cost.seconds(
            view.grid.shape,
            view.atom_count,
            self.name,
            view.series,
            min_distance=view.min_distance,
        )

    def misfit(self, job: Job, report: ResultMessage) -> str | None:
        """Return why a report cannot be of a job, if it cannot."""
        if (report.payload is not None) != self.has_series:
            return "a result of one kind, and a job of another"
        if (report.digest is not None) != self.keeps_map:
            return "a result without the digest of its map, or with one where none is kept"
        try:
            points = _minima(report.register)
        except InvalidMessage as error:
            return str(error)
        total = grid_view(job).grid.points
        if points and points[0].index >= total:
            return f"a minimum at point {points[0].index}, the grid has {total}"
        return None

    def agree(self, job: Job, one: Replica, other: Replica) -> bool:
        """Return whether two reports of a box can both be true."""
        view = grid_view(job)
        box = view.chunking.box(one.task)
        return agree(one, other, view.grid, box, series=self.has_series)

    def check_spec(self, job: Job, spec: bytes) -> None:
        """Return if a stored problem is a job's; errors as of `gridwell.engine.kind.Kind`."""
        Problem.decode(spec, sha=job.spec)

    def end(self, job: Job, spec: bytes, draw: Draw) -> Ended | Flaw | JobError:
        """Verify the merged points, and return how the job ends.

        The winner, or each point of a series, is computed once more, canonically, so its value is
        true.  Lesser points are looked for at the problem's incumbent, among the winner's
        neighbours and among the points drawn.  Of a small grid all points are looked at.  A wrong
        choice that none of these disproves becomes the answer.
        """
        view = grid_view(job)
        problem = Problem.decode(spec, sha=job.spec)
        if problem.incumbent is None:  # stored without one: as large a problem may be
            problem = dataclasses.replace(problem, incumbent=find_incumbent(problem))
        points = view.candidate
        sampled = sampled_points(problem, seed=draw.seed, most=draw.most)
        flaw = find_flaw(problem, points, sampled)
        if flaw is not None:
            place = None if flaw.index is None else view.grid.triple(flaw.index)
            return Flaw(flaw.why, None if place is None else view.chunking.chunk_at(place))
        if not points:
            return JobError(NO_CANDIDATE_POINT, NO_CANDIDATE_DETAIL, permanent=True)
        return ended(problem, points)

    def facts(self, job: Job) -> dict[str, Any]:
        """Return how many points are merged and, of a done job, the least of them."""
        view = grid_view(job)
        facts: dict[str, Any] = {
            "points_done": view.points_done,
            "points_total": view.grid.points,
        }
        if view.result is not None:
            facts["result"] = {
                "minimum": view.result.value,
                "index": view.grid.triple(view.result.index),
                "point": view.grid.point(view.result.index),
            }
        return facts


def ended(problem: Problem, points: Sequence[Minimum]) -> Ended:
    """Return the end of a job whose answer is verified."""
    return Ended(
        best=register_of(*points, series=problem.series is not None),
        record=record(problem, *points),
        answer=encode_answer(problem.sha, *points),
    )


def _minima(best: Best | None) -> tuple[Minimum, ...]:
    """Return the points of a reported register.

    Raises:
        InvalidMessage: if one is none.
    """
    if best is None:
        return ()
    return tuple(map(Minimum.from_key, best.keys))
