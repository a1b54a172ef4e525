"""Refusal of requests by their header fields, before their bodies are received.

The HTTP server calls the application with the header fields of a request whose body is still to
come.  The application returns its refusal, or a response to go on.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Response

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

#: In the environment of a request: it is the head of one, and comes again with its body.
HEAD_ALONE: Final = "gridwell.head_alone"


def go_on() -> Response:
    """Return the response that lets the body of a request be received."""
    return Response(status=HTTPStatus.CONTINUE)


def is_to_go_on(response: AnyResponse) -> bool:
    """Return True if a response is only that of `go_on`."""
    return response.status_code == HTTPStatus.CONTINUE
