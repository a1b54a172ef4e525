"""Responses that several routes give."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Response

from web_tier.dependencies import current
from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from gridwell.engine.job import Job

NO_STORE: Final = {"Cache-Control": "no-store"}
_JOB_ID = re.compile(r"[0-9a-f]{32}")


def json_response(
    model: BaseModel, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """A model as JSON; each float is the shortest text that reads back to the same float64."""
    return Response(
        model.model_dump_json(),
        status,
        {**NO_STORE, **(headers or {})},
        content_type="application/json",
    )


def is_job_id(text: str) -> bool:
    """Whether a text can be the id of a job at all."""
    return _JOB_ID.fullmatch(text) is not None


def find_job(job: str) -> Job | None:
    """The job of that id, or None if there is none, or that is no id."""
    return current().service.read(job) if is_job_id(job) else None


def no_such_job(job: str) -> Response:
    """There is no job of that id."""
    return problem_response(
        HTTPStatus.NOT_FOUND,
        f"there is no job {job[:64]!r}, or it has expired; submit it again",
        code="no_such_job",
    )


def gone(what: str) -> Response:
    """The object has outlived its time in the store."""
    return problem_response(
        HTTPStatus.GONE, f"{what} no longer kept; submit the job again", code="gone"
    )
