"""A kind of work that defines what it must and nothing else, for tests of what needs no more."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.job import job_id
from tests.harness.builders import a_job, a_problem
from tests.harness.web_http import Site
from web_tier.app import create_app
from web_tier.dependencies import dependencies_of
from web_tier.kind import WebKind
from web_tier.kinds.registry import WEB_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gridwell.engine.job import Job
    from web_tier.jobs.service import JobService

NAP = "nap"


class NapRequest(BaseModel):
    """A nap."""

    kind: str
    seconds: float


@dataclass(frozen=True)
class Nap:
    """A submission of a kind that the service does not know yet: it goes to the ledger itself."""

    seconds: float

    def submit(self, service: JobService) -> Job:
        job = a_job(a_problem(seed=9), chunks=4)
        name = job_id(job.client, job.spec, NAP)
        seen = service.ledger.read(name)
        run = 1 if seen is None else seen.run + 1
        job = replace(job, id=name, kind=NAP, attempt=f"{run:016x}", run=run)
        assert service.ledger.create(job, replaces=seen)
        return job


class NapWeb(WebKind):
    """A kind that defines what it must, and nothing else."""

    request = NapRequest

    def read(self, fields: dict[str, Any], kind: str | None) -> Nap:
        assert kind == NAP
        if not isinstance(fields.get("seconds"), float):
            raise InvalidJob(Fault("/seconds", "give a number of seconds"))
        return Nap(fields["seconds"])

    @contextmanager
    def stored(self, job: Job) -> Iterator[Nap | None]:
        assert job.kind == NAP
        yield Nap(0.5)

    def details(self, job: Job) -> Mapping[str, Any]:
        assert job.kind == NAP
        return {"seconds": 0.5, "note": "<b>"}


def site_with_naps() -> Site:
    """A web process that also takes naps."""
    found = Site()
    parts = dependencies_of(found.app)
    parts = replace(parts, service=replace(parts.service, tell=lambda _: None))
    found.app = create_app(parts, kinds={**WEB_KINDS, NAP: NapWeb()})
    found.client = found.app.test_client()
    return found
