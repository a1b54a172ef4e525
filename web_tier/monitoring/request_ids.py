"""Id of each request, in its response and in every line that is logged while it is served."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from flask import g, request

from gridwell.program.logs import CLIENT, REQUEST

if TYPE_CHECKING:
    from flask import Flask, Response

HEADER: Final = "X-Request-ID"
_GIVEN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def name_each(app: Flask, *, by_proxies: bool = False) -> None:
    """Give each request of an application an id.

    Args:
        app: the application.
        by_proxies: True if the operator's own proxies set the ids.  Else callers could choose what
            the log contains.
    """

    def name() -> None:
        given = request.headers.get(HEADER, "") if by_proxies else ""
        g.request_id = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        REQUEST.set(g.request_id)

    app.before_request(name)
    app.after_request(_add_header)
    app.teardown_request(_forget)


def _add_header(response: Response) -> Response:
    if "request_id" in g:
        response.headers[HEADER] = g.request_id
    return response


def _forget(_: BaseException | None) -> None:
    """Clear the context, as threads serve one request after another."""
    REQUEST.set("")
    CLIENT.set("")
