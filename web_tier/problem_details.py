"""Problem details: the JSON, or the page, of an error (RFC 9457)."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Response, has_request_context, render_template, request
from pydantic import BaseModel, Field

from gridwell.engine.errors import DETAIL, Fault
from gridwell.engine.printable import excerpt
from gridwell.engine.read_jobs import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RETRY_SECONDS: Final = (2, 5)  #: drawn from these, so that clients do not come back together
_FAULTS_BYTES: Final = 8_000  #: of all faults in a response: it stays small, whatever the request


class FaultShown(BaseModel):
    """One thing wrong with a request."""

    pointer: str = Field(description="JSON pointer into the body, or the query parameter's name")
    detail: str


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field(description="stable, for programs")
    errors: list[FaultShown] = Field(default_factory=list)


def problem_response(
    status: int,
    detail: str,
    *,
    code: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a response that says what went wrong.

    Args:
        status: the HTTP status.
        detail: the thing, the value and the remedy, for people.
        code: a stable word, for programs.
        faults: what is wrong with the request, part by part.
        headers: more headers.
    """
    body = ProblemDetails(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=excerpt(detail, DETAIL),
        code=code,
        errors=_shown(faults),
    )
    headers = {"Cache-Control": "no-store", **(headers or {})}
    if is_for_people():
        page = render_template("error.html", problem=body)
        return Response(page, status, headers, content_type="text/html; charset=utf-8")
    return Response(
        body.model_dump_json(), status, headers, content_type="application/problem+json"
    )


def retry_after() -> str:
    """Return the seconds after which a client may try again."""
    low, high = _RETRY_SECONDS
    return str(random.randint(low, high))  # noqa: S311 - spreads load, guards nothing


def is_for_people() -> bool:
    """Return True if the request is for a page and not for the interface."""
    if not has_request_context() or request.path.startswith("/v1/"):
        return False
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted["application/json"]


def _shown(faults: Sequence[Fault]) -> list[FaultShown]:
    """Return the first faults as far as they fit into an answer, and how many there are beyond."""
    shown: list[FaultShown] = []
    size = 0
    for number, fault in enumerate(faults):
        size += len(fault.pointer.encode()) + len(fault.detail.encode())
        if size > _FAULTS_BYTES:
            rest = counted(len(faults) - number, "more fault")
            shown.append(FaultShown(pointer="", detail=f"{rest} not listed; mend these first"))
            break
        shown.append(FaultShown(pointer=fault.pointer, detail=fault.detail))
    return shown
