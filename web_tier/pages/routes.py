"""The addresses of the pages: thin, each asks the service and has a template show it."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound

from gridwell.engine.errors import InvalidJob, ServiceError, WrongState
from gridwell.engine.job import JobState
from web_tier.api.constant import constant
from web_tier.api.responses import find_job, gone, is_job_id, no_such_job
from web_tier.auth.caller import caller
from web_tier.auth.owners import owner
from web_tier.auth.route_rules import CLOSED
from web_tier.auth.security_log import Event, note
from web_tier.dependencies import current
from web_tier.kinds.grid.form import DEFAULTS, Form, Upload, filled, read_form, with_faults
from web_tier.kinds.grid.job_page import JobRow, estimate_words, job_row, job_view
from web_tier.kinds.grid.stored_problem import stored_problem
from web_tier.monitoring.fleet_view import last_view
from web_tier.pages.fleet_page import fleet_page

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask import Response
    from flask.typing import ResponseReturnValue

    from gridwell.engine.job import Job
    from gridwell.kinds.grid.atoms import Atoms

logger = logging.getLogger(__name__)

_RECENT: Final = 8  #: jobs beside the form
_PAGE: Final = 50  #: jobs on a page of their own
_LOOKED_AT: Final = 20_000  #: atoms; more are not fetched for a page

routes = Blueprint("pages", __name__)


@routes.get("/")
def home() -> str:
    """The form, which works as it stands, and the latest jobs."""
    return _home(Form(values=DEFAULTS))


@routes.post("/jobs")
def submit() -> ResponseReturnValue:
    """Submit what the form says; its faults are shown in it."""
    values = filled(request.form)
    parts = current()
    try:
        with parts.gates.submitting(request.content_length, owner()):
            with parts.gates.reading(request.content_length, owner()):
                asked = read_form(values, _upload())
            job = parts.service.submit(asked.problem, seed=asked.seed, kind=asked.kind)
    except InvalidJob as error:
        return _home(with_faults(values, error)), HTTPStatus.UNPROCESSABLE_ENTITY
    return redirect(url_for("pages.job", job_id=job.id), HTTPStatus.SEE_OTHER)


@routes.post("/estimate")
def estimate() -> ResponseReturnValue:
    """What the form's job would cost, or the first thing that is wrong with it."""
    parts = current()
    try:
        with (
            parts.gates.submitting(request.content_length, owner()),
            parts.gates.reading(request.content_length, owner()),
        ):
            asked = read_form(filled(request.form), _upload())
    except InvalidJob as error:
        return {"words": error.faults[0].detail}
    problem = asked.problem
    words = estimate_words(
        problem.grid.shape,
        problem.atoms.count,
        kind=asked.kind,
        series=problem.series,
        min_distance=problem.min_distance,
        dollars_per_hour=parts.dollars_per_hour,
    )
    return {"words": f"{asked.read}. {words}" if asked.read else words}


@routes.get("/jobs")
def jobs() -> str:
    """A page of jobs."""
    parts = current()
    now = parts.clock.now()
    page = parts.service.recent(limit=_PAGE, cursor=request.args.get("cursor") or None)
    rows = [job_row(job, now) for job in page.jobs]
    return render_template("jobs.html", jobs=rows, cursor=page.cursor)


@routes.get("/jobs/<job_id>")
def job(job_id: str) -> ResponseReturnValue:
    """A job: how far it is, or what it found."""
    found = find_job(job_id)
    if found is None:
        return no_such_job(job_id)
    parts = current()
    view = job_view(
        found, _atoms_of(found), now=parts.clock.now(), dollars_per_hour=parts.dollars_per_hour
    )
    return render_template("job.html", view=view)


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
    with stored_problem(found) as problem:
        if problem is None:
            return gone("these atoms are")
        current().service.submit(problem, seed=found.seed, kind=found.kind)
    return redirect(url_for("pages.job", job_id=job_id), HTTPStatus.SEE_OTHER)


@routes.get("/fleet")
def fleet() -> str:
    """The fleet, and why it is as it is."""
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
    """Whether the caller's key allows what the button asks for."""
    key = caller().key
    return key is None or key.allows(CLOSED.scope)


@routes.get("/docs")
def interface() -> Response:
    """The interface, described for people."""
    app = cast("APIFlask", current_app)
    return constant(
        lambda: render_template("interface.html", spec=app.spec),
        "text/html; charset=utf-8",
        "no-store",
    )


def _home(form: Form) -> str:
    return render_template("home.html", form=form, recent=_recent())


def _recent() -> list[JobRow] | None:
    """The latest jobs; None if they cannot be read, as the form works without them."""
    parts = current()
    try:
        page = parts.service.recent(limit=_RECENT)
    except ServiceError as error:
        logger.warning("no recent jobs: %s", error, extra={"action": "page.no_recent"})
        return None
    return [job_row(job, parts.clock.now()) for job in page.jobs]


def _atoms_of(job: Job) -> Atoms | None:
    if job.state is not JobState.DONE or job.atom_count > _LOOKED_AT:
        return None
    try:
        problem = current().service.problem(job)
    except ServiceError:
        return None
    return None if problem is None else problem.atoms


def _upload() -> Upload | None:
    file: Any = request.files.get("file")
    return None if file is None or not file.filename else Upload(file.filename, file.read())
