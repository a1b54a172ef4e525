"""Errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Response, has_request_context, render_template, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from gridwell.engine.errors import (
    DETAIL,
    Fault,
    GridwellError,
    InvalidJob,
    InvalidMessage,
    ObjectDenied,
    OverQuota,
    ServiceBusy,
)
from gridwell.engine.job import NO_CANDIDATE_POINT, STORAGE_DENIED
from gridwell.engine.printable import excerpt
from gridwell.engine.read_jobs import counted
from web_tier.api.models import FaultShown, ProblemDetails
from web_tier.http_server.request_framing import BODY_TOO_LARGE
from web_tier.jobs.service import NoCandidatePoint
from web_tier.kinds.grid.request import NotJson
from web_tier.overload.concurrency_limit import Overloaded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flask import Flask

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = (2, 5)  #: drawn from these, so that clients do not come back together
_DENIED_SECONDS: Final = 60  #: people must act, which takes longer than any client should wait
_FAULTS_BYTES: Final = 8_000  #: of all faults in an answer: it stays small, whatever the request


def problem_response(
    status: int,
    detail: str,
    *,
    code: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A response that says what went wrong.

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


def register(app: Flask) -> None:
    """Let every error of `app` leave as problem details."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(NotJson, _not_json)
    app.register_error_handler(InvalidJob, _invalid)
    app.register_error_handler(NoCandidatePoint, _no_candidate)
    app.register_error_handler(Overloaded, _overloaded)
    app.register_error_handler(OverQuota, _over_quota)
    app.register_error_handler(ServiceBusy, _busy)
    app.register_error_handler(ObjectDenied, _denied)
    app.register_error_handler(InvalidMessage, _damaged)
    app.register_error_handler(GridwellError, _broken)


def retry_after() -> str:
    """The seconds after which a client may try again."""
    low, high = _RETRY_SECONDS
    return str(random.randint(low, high))  # noqa: S311 - spreads load, guards nothing


def is_for_people() -> bool:
    """Whether the request came from somebody who looks at a page, and not at the interface."""
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


def _http_error(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    code = error.name.lower().replace(" ", "_")
    kept = {
        name: value
        for name, value in error.get_headers()
        if name in ("Allow", "Location", "Retry-After")
    }
    return problem_response(
        status, error.description or HTTPStatus(status).phrase, code=code, headers=kept
    )


def _too_large(_: RequestEntityTooLarge) -> Response:
    return problem_response(BODY_TOO_LARGE.status, BODY_TOO_LARGE.detail, code=BODY_TOO_LARGE.code)


def _not_json(error: NotJson) -> Response:
    return problem_response(HTTPStatus.BAD_REQUEST, str(error), code="not_json")


def _invalid(error: InvalidJob) -> Response:
    first = error.faults[0]
    more = f" (and {counted(len(error.faults) - 1, 'more fault')})" if len(error.faults) > 1 else ""
    return problem_response(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{first.pointer or 'the body'}: {first.detail}{more}",
        code="invalid_job",
        faults=error.faults,
    )


def _no_candidate(error: NoCandidatePoint) -> Response:
    return problem_response(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        error.faults[0].detail,
        code=NO_CANDIDATE_POINT,
        faults=error.faults,
    )


def _over_quota(error: OverQuota) -> Response:
    return problem_response(
        HTTPStatus.TOO_MANY_REQUESTS,
        str(error),
        code=error.code,
        headers={"Retry-After": str(error.retry_after)},
    )


def _overloaded(error: Overloaded) -> Response:
    # No log here: whoever refuses tells it, once for many, as logging costs more than refusing.
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"{error}; try again after the seconds of Retry-After",
        code=error.code,
        headers={"Retry-After": retry_after()},
    )


def _busy(error: ServiceBusy) -> Response:
    logger.warning("asked to try again: %s", error, extra={"action": "http.busy"})
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "try again after the seconds of Retry-After; the same request joins the same job "
        f"({error})",
        code="busy",
        headers={"Retry-After": retry_after()},
    )


def _denied(error: ObjectDenied) -> Response:
    logger.error(
        "a request needs an object that the store refuses: %s",
        error,
        extra={"action": "http.object_denied", "key": error.key},
    )
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"{error}; the operator of this service can do that, and the same request works then",
        code=STORAGE_DENIED,
        headers={"Retry-After": str(_DENIED_SECONDS)},
    )


def _damaged(error: InvalidMessage) -> Response:
    logger.error(
        "a request needs stored data that is damaged: %s",
        error,
        extra={"action": "http.data_damaged"},
    )
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"{error}; ask the operator of this service to restore it",
        code="damaged",
    )


def _broken(error: GridwellError) -> Response:
    logger.error(
        "a request failed for a reason that an operator must mend: %s",
        error,
        exc_info=error,
        extra={"action": "http.broken"},
    )
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the service is not set up as it should be; its log says more",
        code="internal_error",
    )
