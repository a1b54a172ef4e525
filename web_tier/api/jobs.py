"""Routes of jobs of any kind: submit, list, read, cancel."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import Response, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from gridwell.engine import limits
from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.job import JobState
from web_tier.api import openapi
from web_tier.api.etags import ASK_AGAIN, kept, tagged
from web_tier.api.models import JobPage
from web_tier.api.negotiation import wait_seconds
from web_tier.api.present import show_job
from web_tier.api.request_body import read_work
from web_tier.api.responses import NO_STORE, find_job, is_job_id, json_response, no_such_job
from web_tier.auth.owners import owner
from web_tier.dependencies import current
from web_tier.problem_details import problem_response
from web_tier.waiting.watcher import OwnedWatcher, await_end

if TYPE_CHECKING:
    from gridwell.engine.job import Job

_PAGE: Final = 20
_MAX_PAGE: Final = 100
POLL_SECONDS: Final = "1"

routes = APIBlueprint("jobs", __name__)


@routes.post("/v1/jobs")
@routes.doc(**openapi.SUBMIT)
def submit() -> Response:
    """Join, renew or make a job; wait for its end if the client wishes so."""
    job, headers = awaited(_submitted())
    headers["Location"] = f"/v1/jobs/{job.id}"
    shown = show_job(job, current().kinds)
    if job.state.terminal:
        return json_response(shown, HTTPStatus.OK, headers)
    headers["Retry-After"] = POLL_SECONDS
    return json_response(shown, HTTPStatus.ACCEPTED, headers)


@routes.get("/v1/jobs")
@routes.doc(**openapi.LIST)
def recent() -> Response:
    """Return a page of jobs."""
    parts = current()
    page = parts.service.recent(limit=_limit(), cursor=request.args.get("cursor") or None)
    shown = JobPage(jobs=[show_job(job, parts.kinds) for job in page.jobs], cursor=page.cursor)
    return tagged(json_response(shown), ASK_AGAIN)


@routes.get("/v1/jobs/<job_id>")
@routes.doc(**openapi.READ)
def read(job_id: str) -> Response:
    """Return a job; wait for its end if the client wishes so."""
    found = find_job(job_id)
    if found is None:
        return no_such_job(job_id)
    job, headers = awaited(found)
    if not job.state.terminal:
        headers["Retry-After"] = POLL_SECONDS
    # After the wait: the client is told of what it did not have by then.
    parts = current()
    response = json_response(show_job(job, parts.kinds), HTTPStatus.OK, headers)
    return tagged(response, kept(job, parts.clock.now()))


@routes.delete("/v1/jobs/<job_id>")
@routes.doc(**openapi.CANCEL)
def cancel(job_id: str) -> Response:
    """Cancel a job that has not ended."""
    job = current().service.cancel(job_id) if is_job_id(job_id) else None
    if job is None:
        return no_such_job(job_id)
    if job.state is not JobState.CANCELLED:
        return problem_response(
            HTTPStatus.CONFLICT,
            f"job {job_id} is {job.state} already; only a queued or running job can be cancelled",
            code="already_ended",
        )
    return Response(status=HTTPStatus.NO_CONTENT, headers=NO_STORE)


def _submitted() -> Job:
    """Return the job that the body asks for: a large spec must not outlive this call."""
    parts = current()
    with parts.gates.submitting(request.content_length, owner()):
        with parts.gates.reading(request.content_length, owner()):
            work = read_work(_body(), parts.kinds)
        return parts.service.submit(work)


def _body() -> bytes:
    if (request.content_length or 0) > limits.MAX_BODY_BYTES:
        raise RequestEntityTooLarge  # before a byte of it is read
    try:
        body = request.get_data(cache=False)
    except OSError as error:  # its pieces are none, say
        raise BadRequest(f"the body cannot be read: {error}") from error
    if len(body) > limits.MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    return body


def awaited(job: Job) -> tuple[Job, dict[str, str]]:
    """Return the job after the wait that the client asked for, and the headers that say so."""
    seconds = wait_seconds(request)
    if seconds is None:
        return job, {}
    parts = current()
    job, granted = await_end(
        job,
        seconds,
        watcher=OwnedWatcher(parts.watcher, owner()),
        clock=parts.clock,
        read=parts.service.read,
    )
    return job, {"Preference-Applied": f"wait={seconds}"} if granted else {}


def _limit() -> int:
    text = request.args.get("limit", str(_PAGE))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= _MAX_PAGE:
        detail = f"{text[:20]!r} is not a number of jobs between 1 and {_MAX_PAGE}"
        raise InvalidJob(Fault("/limit", detail))
    return int(text)
