"""A kind of work that defines what it must and nothing else, for tests of what needs no more."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.engine.kind import Work
from tests.harness.web_http import Site
from web_tier.app import create_app
from web_tier.dependencies import dependencies_of
from web_tier.kind import WebKind
from web_tier.kinds.registry import WEB_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.engine.job import Job

NAP = "nap"


class NapRequest(BaseModel):
    """A nap."""

    kind: str
    seconds: float


def nap(seconds: float) -> Work:
    """Return a nap of four tasks."""
    text = f"nap of {seconds} s".encode()
    sha = hashlib.sha256(text).hexdigest()
    return Work(
        kind=NAP,
        sha=sha,
        encode=lambda: text,
        detail={"seconds": seconds, "note": "<b>"},
        tasks=4,
        plan=sha,
        seconds=4 * seconds,
        size="4 naps",
    )


class NapWeb(WebKind):
    """A kind that defines what it must, and nothing else."""

    request = NapRequest

    def read(self, fields: dict[str, Any], kind: str | None) -> Work:
        assert kind == NAP
        if not isinstance(fields.get("seconds"), float):
            raise InvalidJob(Fault("/seconds", "give a number of seconds"))
        return nap(fields["seconds"])

    @contextmanager
    def stored(self, job: Job) -> Iterator[Work | None]:
        assert job.kind == NAP
        yield nap(0.5)


def site_with_naps() -> Site:
    """A web process that also takes naps."""
    found = Site()
    parts = dependencies_of(found.app)
    parts = replace(parts, service=replace(parts.service, tell=lambda _: None))
    found.app = create_app(parts, kinds={**WEB_KINDS, NAP: NapWeb()})
    found.client = found.app.test_client()
    return found
