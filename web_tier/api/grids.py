"""The map that a job kept, to download in the formats of the field."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import Response, request

from gridwell import formats
from gridwell.domain.job import JobState
from gridwell.domain.messages import MAP_KIND
from web_tier.api import docs
from web_tier.api.downloads import FEW_ATOMS, download, in_pieces
from web_tier.api.responses import find_job, gone, no_such_job
from web_tier.kept_map import MapGone
from web_tier.parts import here
from web_tier.problems import problem_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from gridwell.domain.job import Job
    from gridwell.domain.problem import Problem

    #: From a job, its problem and the values of its map to a file.
    Write = Callable[[Job, Problem, Iterator[NDArray[np.float64]]], Iterator[bytes]]

_FEW_POINTS: Final = 2**19  #: one slab

routes = APIBlueprint("grids", __name__)


@dataclass(frozen=True, slots=True)
class _Form:
    """A format of maps."""

    suffix: str
    content_type: str
    write: Write


_DX: Final = _Form(
    "dx",
    "text/plain; charset=utf-8",
    lambda job, _, values: formats.dx(job.grid, values, title=[_title(job)]),
)
_CUBE: Final = _Form(
    "cube",
    "chemical/x-cube",
    lambda job, problem, values: formats.cube(job.grid, problem.atoms, values, title=_title(job)),
)
_NPZ: Final = _Form("npz", "application/zip", lambda job, _, values: formats.npz(job.grid, values))


@routes.get("/v1/jobs/<job_id>/grid.dx")
@routes.doc(**docs.grid("OpenDX", "text/plain"))
def grid_dx(job_id: str) -> Response:
    """The map as OpenDX."""
    return _grid(job_id, _DX)


@routes.get("/v1/jobs/<job_id>/grid.cube")
@routes.doc(**docs.grid("a Gaussian cube file", "chemical/x-cube"))
def grid_cube(job_id: str) -> Response:
    """The map and the atoms as a Gaussian cube file."""
    return _grid(job_id, _CUBE)


@routes.get("/v1/jobs/<job_id>/grid.npz")
@routes.doc(**docs.grid("NPZ", "application/zip"))
def grid_npz(job_id: str) -> Response:
    """The map as arrays for numpy."""
    return _grid(job_id, _NPZ)


def _grid(job_id: str, form: _Form) -> Response:
    job = find_job(job_id)
    if job is None:
        return no_such_job(job_id)
    if job.kind != MAP_KIND:
        # Not 404, which says that there is no such job.
        return problem_response(
            HTTPStatus.CONFLICT,
            f'job {job_id} keeps no map; submit its problem again with "keep_grid": true',
            code="grid_not_kept",
        )
    if job.state is not JobState.DONE:
        return problem_response(
            HTTPStatus.CONFLICT,
            f"job {job_id} is {job.state}; only a done job has its whole map",
            code="not_done",
        )
    # Another attempt's values may differ in their last bits.
    etag = f"{job.attempt}.{form.suffix}"
    headers = {"Cache-Control": "no-cache", "ETag": f'"{etag}"'}
    if request.if_none_match.contains_weak(etag):
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="{job.id[:8]}-grid.{form.suffix}"'

    def make() -> Response:
        try:
            pieces = _file(job, form)
        except MapGone:
            pieces = None
        if pieces is None:
            return gone("this map is")
        return Response(pieces, headers=headers, content_type=form.content_type)

    large = job.grid.points > _FEW_POINTS or job.atom_count > FEW_ATOMS
    return download(make, large=large)


def _file(job: Job, form: _Form) -> Iterator[bytes] | None:
    """The file in pieces, or None if its problem is gone.

    The first values and the first piece are made at once, so that what cannot be had is told by
    the status.  What fails later breaks the connection off: no file may look whole that is not.
    """
    service = here().service
    problem = service.problem(job)
    if problem is None:
        return None
    values = service.map(job)
    values = itertools.chain([next(values)], values)
    pieces = in_pieces(form.write(job, problem, values))
    return itertools.chain([next(pieces)], pieces)


def _title(job: Job) -> str:
    return f"potential of {job.atom_count} atoms, Gridwell job {job.id}"
