"""Routes of the pages: each asks the service and renders a template."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound

from gridwell.engine.errors import InvalidJob, ServiceError, WrongState
from web_tier.api.constant import constant
from web_tier.api.openapi import described_schemas
from web_tier.api.responses import find_job, gone, is_job_id, no_such_job
from web_tier.auth.caller import caller
from web_tier.auth.owners import owner
from web_tier.auth.route_rules import CLOSED
from web_tier.auth.security_log import Event, note
from web_tier.dependencies import current
from web_tier.kind import Upload
from web_tier.monitoring.fleet_view import last_view
from web_tier.pages.fleet_page import fleet_page
from web_tier.pages.job_pages import job_page, job_row
from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask import Response
    from flask.typing import ResponseReturnValue

    from web_tier.kind import PageView, WebForm
    from web_tier.pages.job_pages import JobRow

logger = logging.getLogger(__name__)

_RECENT: Final = 8  #: jobs beside the form
_PAGE: Final = 50  #: jobs on a page of their own

routes = Blueprint("pages", __name__)


@routes.get("/")
def home() -> str:
    """Return the form, which works as it stands, and the latest jobs."""
    return _home(_form().blank())


@routes.post("/jobs")
def submit() -> ResponseReturnValue:
    """Submit the form's job; show its faults in it."""
    parts, form = current(), _form()
    try:
        with parts.gates.submitting(request.content_length, owner()):
            with parts.gates.reading(request.content_length, owner()):
                work = form.read(request.form, _upload())
            job = parts.service.submit(work)
    except InvalidJob as error:
        return _home(form.refused(request.form, error)), HTTPStatus.UNPROCESSABLE_ENTITY
    return redirect(url_for("pages.job", job_id=job.id), HTTPStatus.SEE_OTHER)


@routes.post("/estimate")
def estimate() -> ResponseReturnValue:
    """Return the cost of the form's job, or the first thing that is wrong with it."""
    parts = current()
    try:
        with (
            parts.gates.submitting(request.content_length, owner()),
            parts.gates.reading(request.content_length, owner()),
        ):
            words = _form().estimate(
                request.form, _upload(), dollars_per_hour=parts.dollars_per_hour
            )
    except InvalidJob as error:
        words = error.faults[0].detail
    return {"words": words}


@routes.get("/jobs")
def jobs() -> str:
    """Return a page of jobs."""
    parts = current()
    now = parts.clock.now()
    page = parts.service.recent(limit=_PAGE, cursor=request.args.get("cursor") or None)
    rows = [job_row(job, parts.kinds, now) for job in page.jobs]
    return render_template("jobs.html", jobs=rows, cursor=page.cursor)


@routes.get("/jobs/<job_id>")
def job(job_id: str) -> ResponseReturnValue:
    """Return a job's page."""
    found = find_job(job_id)
    if found is None:
        return no_such_job(job_id)
    parts = current()
    page = job_page(
        found, parts.kinds, now=parts.clock.now(), dollars_per_hour=parts.dollars_per_hour
    )
    return render_template(page.template, **page.variables)


@routes.post("/jobs/<job_id>/cancel")
def cancel(job_id: str) -> ResponseReturnValue:
    """Cancel a job; one that has ended meanwhile is just shown."""
    found = current().service.cancel(job_id) if is_job_id(job_id) else None
    if found is None:
        return no_such_job(job_id)
    return redirect(url_for("pages.job", job_id=job_id), HTTPStatus.SEE_OTHER)


@routes.post("/jobs/<job_id>/again")
def again(job_id: str) -> ResponseReturnValue:
    """Submit a job that failed or was cancelled again; any other is just shown."""
    found = find_job(job_id)
    if found is None:
        return no_such_job(job_id)
    parts = current()
    kind = parts.kinds.get(found.kind)
    if kind is None:
        return problem_response(
            HTTPStatus.CONFLICT,
            f"job {job_id} is of kind {found.kind}, which this release cannot submit",
            code="unknown_kind",
        )
    with kind.stored(found) as work:
        if work is None:
            return gone("its spec is")
        parts.service.submit(work)
    return redirect(url_for("pages.job", job_id=job_id), HTTPStatus.SEE_OTHER)


@routes.get("/fleet")
def fleet() -> str:
    """Return the fleet and its latest decisions."""
    parts = current()
    view = fleet_page(
        last_view(parts.fleet),
        now=parts.clock.now(),
        killable=parts.kill is not None and _may_kill(),
        dollars_per_hour=parts.dollars_per_hour,
    )
    return render_template("fleet.html", view=view)


@routes.post("/fleet/<instance>/kill")
def kill(instance: str) -> ResponseReturnValue:
    """Kill an instance as broken hardware would, where that is on offer: the answer survives."""
    parts = current()
    view = last_view(parts.fleet)
    ours = () if view is None else (one.id for one in view.instances)
    if parts.kill is None or instance not in ours:
        raise NotFound
    note(Event.INSTANCE_KILLED, reason=instance)
    try:
        parts.kill(instance)
    except WrongState as error:
        # It has gone meanwhile, which is what was wished.
        logger.info("not killed: %s", error, extra={"action": "fleet.kill_late"})
    return redirect(url_for("pages.fleet"), HTTPStatus.SEE_OTHER)


def _may_kill() -> bool:
    """Return True if the caller's key allows what the button asks for."""
    key = caller().key
    return key is None or key.allows(CLOSED.scope)


@routes.get("/docs")
def interface() -> Response:
    """Return the description of the interface, for people."""
    app = cast("APIFlask", current_app)
    return constant(
        lambda: render_template(
            "interface.html",
            spec=app.spec,
            described=described_schemas(cast("dict[str, Any]", app.spec)),
        ),
        "text/html; charset=utf-8",
        "no-store",
    )


def _form() -> WebForm:
    """Return the form of the first kind that has one.

    Raises:
        NotFound: if no kind has one.
    """
    for kind in current().kinds.values():
        if kind.form is not None:
            return kind.form
    raise NotFound


def _home(form: PageView) -> str:
    return render_template(form.template, **form.variables, recent=_recent())


def _recent() -> list[JobRow] | None:
    """Return the latest jobs; None if they cannot be read, as the form works without them."""
    parts = current()
    try:
        page = parts.service.recent(limit=_RECENT)
    except ServiceError as error:
        logger.warning("no recent jobs: %s", error, extra={"action": "page.no_recent"})
        return None
    return [job_row(job, parts.kinds, parts.clock.now()) for job in page.jobs]


def _upload() -> Upload | None:
    file: Any = request.files.get("file")
    return None if file is None or not file.filename else Upload(file.filename, file.read())
