"""Routes of a job's atoms and its record."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import Response, request

from gridwell.engine.job import JobState
from gridwell.kinds.grid.job_view import grid_view
from web_tier.api.downloads import download, in_pieces
from web_tier.api.etags import kept, unless_known
from web_tier.api.responses import gone
from web_tier.dependencies import current
from web_tier.kinds.grid import openapi
from web_tier.kinds.grid.atom_forms import FORMS, chosen_form
from web_tier.kinds.grid.find_job import find_grid_job
from web_tier.kinds.grid.stored_problem import read_problem
from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridwell.engine.job import Job
    from web_tier.kinds.grid.atom_forms import AtomForm

#: By the client itself; see `web_tier.api.etags`.
_FOR_EVER: Final = "private, max-age=31536000, immutable"
FEW_ATOMS: Final = 10_000  #: they fill a megabyte at most: no large download

routes = APIBlueprint("files", __name__)


@routes.get("/v1/jobs/<job_id>/atoms")
@routes.doc(**openapi.ATOMS)
def atoms(job_id: str) -> Response:
    """Return the atoms in the form that the client likes best."""
    form = chosen_form(request)
    if form is None:
        return problem_response(
            HTTPStatus.NOT_ACCEPTABLE,
            f"atoms come as {', '.join(FORMS)}; the request accepts only "
            f"{request.headers.get('Accept')}",
            code="not_acceptable",
        )
    job = find_grid_job(job_id)
    if isinstance(job, Response):
        return job
    count = grid_view(job).atom_count
    # Each form has bytes of its own, so an ETag of its own.
    return unless_known(
        f"{job.spec}.{form.suffix}",
        {"Cache-Control": _FOR_EVER, "Vary": "Accept"},
        lambda headers: download(
            partial(_atoms, job, form, headers),
            large=count > FEW_ATOMS,
            size=count,
        ),
    )


@routes.get("/v1/jobs/<job_id>/record")
@routes.doc(**openapi.RECORD)
def record(job_id: str) -> Response:
    """Return the record of a done job."""
    job = find_grid_job(job_id)
    if isinstance(job, Response):
        return job
    if job.state is not JobState.DONE:
        return problem_response(
            HTTPStatus.CONFLICT,
            f"job {job_id} is {job.state}; only a done job has a record",
            code="not_done",
        )
    count = grid_view(job).atom_count
    return unless_known(
        f"{job.attempt}.record",
        {"Cache-Control": kept(job, current().clock.now())},
        lambda headers: download(
            partial(_record, job, headers),
            large=count > FEW_ATOMS,
            size=count,
        ),
    )


def _atoms(job: Job, form: AtomForm, headers: Mapping[str, str]) -> Response:
    problem = read_problem(job)
    if problem is None:
        return gone("these atoms are")
    pieces = in_pieces(form.write(problem.atoms))
    return Response(pieces, headers=headers, content_type=form.content_type)


def _record(job: Job, headers: Mapping[str, str]) -> Response:
    data = current().service.record(job)
    if data is None:
        return gone("this record is")
    headers = {**headers, "Content-Length": str(len(data))}
    return Response(in_pieces([data]), headers=headers, content_type="application/json")
