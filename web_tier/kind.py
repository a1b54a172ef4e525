"""The web side of a kind of work: how it is asked for, and how its jobs are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from flask import Blueprint
    from pydantic import BaseModel

    from gridwell.engine.errors import InvalidJob
    from gridwell.engine.job import Job
    from gridwell.engine.kind import Work
    from web_tier.jobs.cached_jobs import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A job's line in a list, in words."""

    subject: str  #: what was asked
    answer: str = ""  #: what was found; empty: nothing yet


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """A template and its variables."""

    template: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form."""

    name: str
    data: bytes


class WebForm(Protocol):
    """A form of new jobs, shown on the first page."""

    def blank(self) -> PageView:
        """Return the form with values that work as they stand."""

    def refused(self, fields: Mapping[str, str], faults: InvalidJob) -> PageView:
        """Return the form with what was typed, and each fault at its field.

        Args:
            fields: as sent.
            faults: of them.
        """

    def read(self, fields: Mapping[str, str], upload: Upload | None) -> Work:
        """Return what a form asks for.

        Raises:
            InvalidJob: with every fault; its pointers are names of fields.
        """

    def estimate(
        self, fields: Mapping[str, str], upload: Upload | None, *, dollars_per_hour: float
    ) -> str:
        """Return the cost of the form's job in words.

        Raises:
            InvalidJob: as `read`.
        """


class JobPresenter(Protocol):
    """Jobs of a kind in a shape of their own, as JSON and as pages.

    Attributes:
        model: of a job's JSON.
    """

    model: type[BaseModel]

    def show(self, job: Job) -> BaseModel:
        """Return a job's JSON."""

    def step(self, job: Job, progress: Progress) -> Mapping[str, Any]:
        """Return how far a job is, for its stream of events."""

    def summary(self, job: Job) -> JobSummary:
        """Return a job's line in a list."""

    def page(self, job: Job, *, now: float, dollars_per_hour: float) -> PageView:
        """Return a job's page."""

    def document(self, spec: dict[str, Any]) -> None:
        """Add to the OpenAPI document what the models do not say."""


class WebKind(Protocol):
    """Requests, presentation and routes of a kind.

    Attributes:
        request: the model of a request's body, for the OpenAPI document.
        examples: of requests, by a title.
        presenter: None: jobs have the plain JSON, with `details`, and the plain page.
        models: further models for the OpenAPI document.
        routes: of files and the like, below a job's address.
        form: for people; None: jobs of this kind are submitted by programs alone.
    """

    request: type[BaseModel]
    examples: Mapping[str, Mapping[str, Any]] = {}
    presenter: JobPresenter | None = None
    models: tuple[type[BaseModel], ...] = ()
    routes: tuple[Blueprint, ...] = ()
    form: WebForm | None = None

    def read(self, fields: dict[str, Any], kind: str | None) -> Work:
        """Return what the fields of a body ask for.

        Args:
            fields: of the body, without `kind`.
            kind: as the body names it, if it does.

        Raises:
            InvalidJob: with every fault, each with a JSON pointer.
        """

    def stored(self, job: Job) -> AbstractContextManager[Work | None]:
        """Return what a job asked, from its stored spec, to submit it again; None if it is gone."""

    def details(self, job: Job) -> Mapping[str, Any]:
        """Return what the plain JSON of a job says beside what all jobs have."""
        return job.detail


def presenter_of(kinds: Mapping[str, WebKind], job: Job) -> JobPresenter | None:
    """Return what presents a job; None: it is shown plainly."""
    kind = kinds.get(job.kind)
    return None if kind is None else kind.presenter
