"""The job of a route that only the grid kinds have."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from gridwell.kinds.grid.names import GRID_KINDS
from web_tier.api.responses import find_job, no_such_job
from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from flask import Response

    from gridwell.engine.job import Job


def find_grid_job(job_id: str) -> Job | Response:
    """Return the job of that id, or the refusal if there is none or it is of another kind."""
    job = find_job(job_id)
    if job is None:
        return no_such_job(job_id)
    if job.kind not in GRID_KINDS:
        # Not 404, which says that there is no such job.
        return problem_response(
            HTTPStatus.CONFLICT,
            f"job {job_id} is of kind {job.kind}, which has no atoms, points or map; read it at "
            f"/v1/jobs/{job_id}",
            code="other_kind",
        )
    return job
