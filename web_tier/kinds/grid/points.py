"""Routes of the points that a job found: as JSON, also fewer or more of them, and as files."""

from __future__ import annotations

import dataclasses
import math
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import Response, request

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.job import JobState
from gridwell.engine.job import job_id as job_id_of
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.formats import Ion, ions_pdb, points_csv
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.names import MAP_KIND
from gridwell.kinds.grid.series import Series
from web_tier.api.etags import kept, tagged
from web_tier.api.jobs import POLL_SECONDS, awaited
from web_tier.api.present import show_job
from web_tier.api.responses import gone, json_response
from web_tier.auth.guard import demand
from web_tier.auth.refusals import AccessRefused
from web_tier.auth.route_rules import SUBMITS
from web_tier.dependencies import current
from web_tier.kinds.grid import openapi
from web_tier.kinds.grid.find_job import find_grid_job
from web_tier.kinds.grid.map_download import CSV, map_file
from web_tier.kinds.grid.models import PointsShown
from web_tier.kinds.grid.present import show_points
from web_tier.kinds.grid.request import GridQuestion
from web_tier.kinds.grid.stored_problem import stored_problem
from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridwell.engine.job import Job

_ELEMENTS: Final = {1: "NA", -1: "CL"}  #: what ions of those energies are in a file of molecules
_NUMBER: Final = re.compile(r"[0-9]{1,10}(\.[0-9]{0,17})?([eE][+-]?[0-9]{1,2})?")

routes = APIBlueprint("points", __name__)


@routes.get("/v1/jobs/<job_id>/result")
@routes.doc(**openapi.RESULT)
def result(job_id: str) -> Response:
    """Return the first points of a done job, or the job that looks for more of them."""
    job = find_grid_job(job_id)
    if isinstance(job, Response):
        return job
    wanted = _wanted(job)
    if job.state is not JobState.DONE:
        return _not_done(job, "a result")
    if wanted is None or _holds(job, wanted):
        return _points(job, wanted.count if wanted else len(grid_view(job).answer))
    return _looked_for(job, wanted)


def _looked_for(job: Job, wanted: Series) -> Response:
    """Return the points of another job, or its address; wait for it if the client wishes so."""
    if request.method == "HEAD":
        return _as_it_is(job, wanted)
    try:
        demand(current().access, SUBMITS)
    except AccessRefused as refused:
        return refused.response
    submitted = _derived(job, wanted)
    if submitted is None:
        return gone("these atoms are")
    return _told(*awaited(submitted), wanted)


def _told(derived: Job, headers: dict[str, str], wanted: Series) -> Response:
    headers["Location"] = f"/v1/jobs/{derived.id}"
    if derived.state is JobState.DONE:
        return _points(derived, wanted.count, headers)
    if derived.state.terminal:
        return _not_done(derived, "a result")
    headers["Retry-After"] = POLL_SECONDS
    return json_response(show_job(derived, current().kinds), HTTPStatus.ACCEPTED, headers)


def _as_it_is(job: Job, wanted: Series) -> Response:
    """Return what GET would if it submitted nothing: a HEAD changes nothing (RFC 9110, 9.2.1)."""
    with stored_problem(job) as problem:
        if problem is None:
            return gone("these atoms are")
        asked = dataclasses.replace(problem, series=wanted).sha
    derived = current().service.read(job_id_of(job.client, asked))
    if derived is None:
        return problem_response(
            HTTPStatus.CONFLICT,
            f"no job has looked for these points of job {job.id}; GET submits one",
            code="not_done",
        )
    return _told(derived, {}, wanted)


@routes.get("/v1/jobs/<job_id>/points.csv")
@routes.doc(**openapi.POINTS_CSV)
def points_file(job_id: str) -> Response:
    """Return the points with every bit, as CSV; of a job that kept its map, all of the grid's."""
    job = find_grid_job(job_id)
    if isinstance(job, Response):
        return job
    if job.kind == MAP_KIND:
        return map_file(job, CSV)
    if job.state is not JobState.DONE:
        return _not_done(job, "points")
    view = grid_view(job)
    series = view.series or Series(1)
    rows = ((found.index, series.potential_of(found.value)) for found in view.answer)
    return _attached(job, "points.csv", "text/csv; charset=utf-8", points_csv(view.grid, rows))


@routes.get("/v1/jobs/<job_id>/ions.pdb")
@routes.doc(**openapi.IONS_PDB)
def ions_file(job_id: str) -> Response:
    """Return the placed ions as HETATM records."""
    job = find_grid_job(job_id)
    if isinstance(job, Response):
        return job
    if job.state is not JobState.DONE:
        return _not_done(job, "ions")
    view = grid_view(job)
    if view.series is None or not view.series.ion:
        return problem_response(
            HTTPStatus.CONFLICT,
            f"job {job_id} placed no ions; its points are at /v1/jobs/{job_id}/points.csv",
            code="no_ions",
        )
    charge = view.series.ion
    ions = [
        Ion(element=_ELEMENTS[charge], charge=charge, position=view.grid.point(found.index))
        for found in view.answer
    ]
    title = [f"Gridwell job {job.id}", f"problem {job.spec[:32]}"]
    return _attached(job, "ions.pdb", "chemical/x-pdb", ions_pdb(ions, title=title))


def _wanted(job: Job) -> Series | None:
    """Return the series that the query asks for; None: it asks for what the job has.

    Raises:
        InvalidJob: if the query cannot be used.
    """
    top, separation = request.args.get("top"), request.args.get("min_separation")
    own = grid_view(job).series or Series(1)
    if top is None:
        if separation is not None:
            raise InvalidJob(Fault("/min_separation", "min_separation belongs to top; give both"))
        return None
    count = int(top) if re.fullmatch(r"[0-9]{1,4}", top) else 0
    if not 1 <= count <= limits.MAX_SERIES:
        detail = f"{top[:20]!r} is not a number of points between 1 and {limits.MAX_SERIES}"
        raise InvalidJob(Fault("/top", detail))
    distance = own.min_separation
    if separation is not None:
        distance = float(separation) if _NUMBER.fullmatch(separation) else math.nan
    if not 0 <= distance <= limits.MAX_DISTANCE:
        detail = f"{(separation or '')[:20]!r} is not a distance between 0 and 1e9"
        raise InvalidJob(Fault("/min_separation", detail))
    return dataclasses.replace(own, count=count, min_separation=distance)


def _holds(job: Job, wanted: Series) -> bool:
    """Return True if the job's points begin with those that are wanted.

    A series is the beginning of any longer one; and one that ended early has all there are.
    """
    own = grid_view(job).series or Series(1, wanted.min_separation)
    alike = (own.min_separation, own.ion) == (wanted.min_separation, wanted.ion)
    ended_early = len(grid_view(job).answer) < own.count
    return wanted.count == 1 or (alike and (wanted.count <= own.count or ended_early))


def _derived(job: Job, wanted: Series) -> Job | None:
    """Submit the same atoms with another series; return None if they are gone."""
    with stored_problem(job) as problem:
        if problem is None:
            return None
        asked = GridQuestion(dataclasses.replace(problem, series=wanted), grid_view(job).seed)
        return current().service.submit(asked.work())


def _points(job: Job, count: int, headers: dict[str, str] | None = None) -> Response:
    shown = PointsShown(job=job.id, wanted=count, points=show_points(job)[:count])
    response = json_response(shown, HTTPStatus.OK, headers)
    return tagged(response, kept(job, current().clock.now()))


def _not_done(job: Job, what: str) -> Response:
    return problem_response(
        HTTPStatus.CONFLICT,
        f"job {job.id} is {job.state}; only a done job has {what}",
        code="not_done",
    )


def _attached(job: Job, name: str, kind: str, parts: Iterable[bytes]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{job.id[:8]}-{name}"'}
    response = Response(b"".join(parts), headers=headers, content_type=kind)
    return tagged(response, kept(job, current().clock.now()))
