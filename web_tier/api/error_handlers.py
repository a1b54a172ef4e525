"""Errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from gridwell.engine.errors import (
    GridwellError,
    InvalidJob,
    InvalidMessage,
    ObjectDenied,
    OverQuota,
    ServiceBusy,
)
from gridwell.engine.job import STORAGE_DENIED
from web_tier.api.request_body import NotJson
from web_tier.overload.concurrency_limit import Overloaded
from web_tier.problem_details import problem_response, retry_after
from web_tier.request_limits import BODY_TOO_LARGE

if TYPE_CHECKING:
    from flask import Flask, Response

logger = logging.getLogger(__name__)

_DENIED_SECONDS: Final = 60  #: people must act, which takes longer than any client should wait


def register(app: Flask) -> None:
    """Let every error of `app` leave as problem details."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(NotJson, _not_json)
    app.register_error_handler(InvalidJob, _invalid)
    app.register_error_handler(Overloaded, _overloaded)
    app.register_error_handler(OverQuota, _over_quota)
    app.register_error_handler(ServiceBusy, _busy)
    app.register_error_handler(ObjectDenied, _denied)
    app.register_error_handler(InvalidMessage, _damaged)
    app.register_error_handler(GridwellError, _broken)


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
    return problem_response(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        error.summary,
        code=error.code,
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
