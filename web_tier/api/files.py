"""What a job stands on, to download: its atoms and its record."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from apiflask import APIBlueprint
from flask import Response, request

from gridwell.domain.job import JobState
from web_tier.api import docs
from web_tier.api.negotiation import FORMS, chosen_form
from web_tier.api.responses import NO_STORE, find_job, gone, no_such_job
from web_tier.parts import here
from web_tier.problems import problem_response

_FOR_EVER: Final = "public, max-age=31536000, immutable"

routes = APIBlueprint("files", __name__)


@routes.get("/v1/jobs/<job_id>/atoms")
@routes.doc(**docs.ATOMS)
def atoms(job_id: str) -> Response:
    """The atoms in the form that the client likes best."""
    form = chosen_form(request)
    if form is None:
        return problem_response(
            HTTPStatus.NOT_ACCEPTABLE,
            f"atoms come as {', '.join(FORMS)}; the request accepts only "
            f"{request.headers.get('Accept')}",
            code="not_acceptable",
        )
    job = find_job(job_id)
    if job is None:
        return no_such_job(job_id)
    # Each form has bytes of its own, so an ETag of its own.
    etag = f"{job.problem}.{form.suffix}"
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept", "ETag": f'"{etag}"'}
    if request.if_none_match.contains_weak(etag):
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    problem = here().service.problem(job)
    if problem is None:
        return gone("these atoms are")
    return Response(form.write(problem.atoms), headers=headers, content_type=form.content_type)


@routes.get("/v1/jobs/<job_id>/record")
@routes.doc(**docs.RECORD)
def record(job_id: str) -> Response:
    """The record of a done job."""
    job = find_job(job_id)
    if job is None:
        return no_such_job(job_id)
    if job.state is not JobState.DONE:
        return problem_response(
            HTTPStatus.CONFLICT,
            f"job {job_id} is {job.state}; only a done job has a record",
            code="not_done",
        )
    data = here().service.record(job)
    if data is None:
        return gone("this record is")
    return Response(data, headers=NO_STORE, content_type="application/json")
