"""Responses of the HTTP server that need no application."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from gunicorn.http import errors

from web_tier.auth.security_headers import harden
from web_tier.http_server.wire import as_bytes
from web_tier.problem_details import problem_response, retry_after
from web_tier.request_limits import FramingError

BUSY: Final = 503
TOO_SLOW: Final = FramingError(
    408,
    "request_timeout",
    "the request did not come within its time; send it at once, or over a better connection",
)
FULL: Final = FramingError(
    BUSY, "overloaded", "more requests are being served than this process has threads; try again"
)
NO_ROOM: Final = FramingError(
    BUSY, "overloaded", "more bytes are being received than this process has room for; try again"
)
BROKEN: Final = FramingError(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal_error",
    "an unforeseen error; the service's log says more",
)
_STATUS: Final = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.ExpectationFailed: 417,
}


def malformed(error: Exception) -> FramingError:
    """Return the error of a request that the parser does not accept."""
    status = _STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
    return FramingError(status, "malformed_request", f"{error}; send a request as of RFC 9112")


def overloaded(reason: Exception) -> FramingError:
    """Return the error of a request above a concurrency limit."""
    detail = f"{reason}; try again after the seconds of Retry-After"
    return FramingError(BUSY, "overloaded", detail)


def refusal_bytes(refusal: FramingError) -> bytes:
    """Return a whole response, after which the connection ends."""
    return _made(refusal, retry_after() if refusal.status == BUSY else "")


@lru_cache(maxsize=64)  # many refusals must be cheap
def _made(refusal: FramingError, retry: str) -> bytes:
    headers = {"Retry-After": retry} if retry else None
    return as_bytes(
        harden(problem_response(refusal.status, refusal.detail, code=refusal.code, headers=headers))
    )


class CheckedBody:
    """A body whose faults are `OSError`, which applications handle, and not gunicorn's errors."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def read(self, size: int | None = None) -> bytes:
        """Return the next bytes."""
        try:
            data: bytes = self._body.read(size)
        except errors.ParseException as error:
            raise OSError(str(error)) from error
        return data
