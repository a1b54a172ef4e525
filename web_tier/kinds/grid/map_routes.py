"""Routes of a kept map, in the formats of the field."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from apiflask import APIBlueprint
from flask import Response

from gridwell.kinds.grid.names import MAP_KIND
from web_tier.kinds.grid import openapi
from web_tier.kinds.grid.find_job import find_grid_job
from web_tier.kinds.grid.map_download import CUBE, DX, NPZ, map_file
from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from web_tier.kinds.grid.map_download import MapForm

routes = APIBlueprint("grids", __name__)


@routes.get("/v1/jobs/<job_id>/grid.dx")
@routes.doc(**openapi.map_file("OpenDX", "text/plain"))
def grid_dx(job_id: str) -> Response:
    """Return the map as OpenDX."""
    return _grid(job_id, DX)


@routes.get("/v1/jobs/<job_id>/grid.cube")
@routes.doc(**openapi.map_file("a Gaussian cube file", "chemical/x-cube"))
def grid_cube(job_id: str) -> Response:
    """Return the map and the atoms as a Gaussian cube file."""
    return _grid(job_id, CUBE)


@routes.get("/v1/jobs/<job_id>/grid.npz")
@routes.doc(**openapi.map_file("NPZ", "application/zip"))
def grid_npz(job_id: str) -> Response:
    """Return the map as arrays for numpy."""
    return _grid(job_id, NPZ)


def _grid(job_id: str, form: MapForm) -> Response:
    job = find_grid_job(job_id)
    if isinstance(job, Response):
        return job
    if job.kind != MAP_KIND:
        # Not 404, which says that there is no such job.
        return problem_response(
            HTTPStatus.CONFLICT,
            f'job {job_id} keeps no map; submit its problem again with "keep_grid": true',
            code="grid_not_kept",
        )
    return map_file(job, form)
