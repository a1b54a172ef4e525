"""A name for each request, in its answer and in every line that is logged while it is served."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from flask import g, request

from gridwell.adapters.logs import CLIENT, REQUEST

if TYPE_CHECKING:
    from flask import Flask, Response

HEADER: Final = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def name_each(app: Flask) -> None:
    """Let each request of an application have a name: a proxy's, or one of ours."""
    app.before_request(_name)
    app.after_request(_tell)
    app.teardown_request(_forget)


def _name() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
    REQUEST.set(g.request_id)


def _tell(response: Response) -> Response:
    if "request_id" in g:
        response.headers[HEADER] = g.request_id
    return response


def _forget(_: BaseException | None) -> None:
    """Threads serve one request after another."""
    REQUEST.set("")
    CLIENT.set("")
