"""The web side of the grid kinds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from gridwell.engine.errors import Fault, InvalidJob, ServiceError
from gridwell.engine.job import JobState
from gridwell.engine.limits import MAX_BODY_BYTES
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.formats import SUFFIXES
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.work import work_of
from web_tier.kind import JobPresenter, PageView, WebForm, WebKind
from web_tier.kinds.grid import atom_files, map_routes, openapi, points
from web_tier.kinds.grid.examples import EXAMPLES
from web_tier.kinds.grid.form import DEFAULTS, Form, filled, read_form, with_faults
from web_tier.kinds.grid.job_page import estimate_words, job_summary, job_view
from web_tier.kinds.grid.models import AtomsShown, JobRequest, JobShown, PointsShown
from web_tier.kinds.grid.present import show_job, show_step
from web_tier.kinds.grid.request import read_fields
from web_tier.kinds.grid.stored_problem import read_problem, stored_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

    from gridwell.engine.job import Job
    from gridwell.engine.kind import Work
    from gridwell.kinds.grid.atoms import Atoms
    from web_tier.jobs.cached_jobs import Progress
    from web_tier.kind import JobSummary, Upload

_LOOKED_AT: Final = 20_000  #: atoms; more are not fetched for a page


class GridForm(WebForm):
    """The form of a new search."""

    def blank(self) -> PageView:
        """Return the form with an example that works as it stands."""
        return _form_page(Form(values=DEFAULTS))

    def refused(self, fields: Mapping[str, str], faults: InvalidJob) -> PageView:
        """Return the form with what was typed, and each fault at its field."""
        return _form_page(with_faults(filled(fields), faults))

    def read(self, fields: Mapping[str, str], upload: Upload | None) -> Work:
        """Return the problem that the form asks for."""
        return read_form(filled(fields), upload).work()

    def estimate(
        self, fields: Mapping[str, str], upload: Upload | None, *, dollars_per_hour: float
    ) -> str:
        """Return the size, time and cost of the form's job in words."""
        asked = read_form(filled(fields), upload)
        problem = asked.problem
        words = estimate_words(
            problem.grid.shape,
            problem.atoms.count,
            kind=asked.kind,
            series=problem.series,
            min_distance=problem.min_distance,
            dollars_per_hour=dollars_per_hour,
        )
        return f"{asked.read}. {words}" if asked.read else words


class GridPresenter(JobPresenter):
    """Jobs of the grid kinds, as release 0.1 showed them."""

    model = JobShown

    def show(self, job: Job) -> BaseModel:
        """Return a job; numbers keep every bit."""
        return show_job(job)

    def step(self, job: Job, progress: Progress) -> Mapping[str, Any]:
        """Return how far a job is, in points."""
        return show_step(job, progress)

    def summary(self, job: Job) -> JobSummary:
        """Return the grid, the atoms and the least potential."""
        return job_summary(job)

    def page(self, job: Job, *, now: float, dollars_per_hour: float) -> PageView:
        """Return the page with the answer, the picture and the downloads."""
        view = job_view(job, _atoms_of(job), now=now, dollars_per_hour=dollars_per_hour)
        return PageView(template="grid/job.html", variables={"view": view})

    def document(self, spec: dict[str, Any]) -> None:
        """Add parameters and links to the OpenAPI document."""
        openapi.document(spec)


class GridWeb(WebKind):
    """Searches on a grid: the least potential, a series of points, or the whole map."""

    request = JobRequest
    presenter = GridPresenter()
    models = (AtomsShown, PointsShown)
    examples = openapi.EXAMPLES
    routes = (points.routes, atom_files.routes, map_routes.routes)
    form = GridForm()

    def read(self, fields: dict[str, Any], kind: str | None) -> Work:
        """Return the problem that a body asks for; its kind must be that of its fields."""
        asked = read_fields(fields)
        if kind not in (None, asked.job_kind):
            detail = f"the other fields ask for a job of kind {asked.job_kind}, not {kind}"
            raise InvalidJob(Fault("/kind", f"{detail}; change them, or leave kind out"))
        return asked.work()

    @contextmanager
    def stored(self, job: Job) -> Iterator[Work | None]:
        """Hold a permit to submit and yield a job's problem; None if its atoms are gone."""
        with stored_problem(job) as problem:
            seed = grid_view(job).seed
            yield None if problem is None else work_of(problem, kind=job.kind, seed=seed)


def _form_page(form: Form) -> PageView:
    return PageView(
        template="grid/home.html",
        variables={
            "form": form,
            "max_grid_size": int(limits.MAX_POINTS ** (1 / 3)),
            "max_atoms": limits.MAX_ATOMS,
            "max_bytes": MAX_BODY_BYTES,
            "suffixes": SUFFIXES,
            "examples": list(EXAMPLES.values()),
        },
    )


def _atoms_of(job: Job) -> Atoms | None:
    if job.state is not JobState.DONE or grid_view(job).atom_count > _LOOKED_AT:
        return None
    try:
        problem = read_problem(job)
    except ServiceError:
        return None
    return None if problem is None else problem.atoms
