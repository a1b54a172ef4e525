"""What is said of a request by its head alone, before its body is received.

The door asks the application with the head of a request whose body is still to come.  What refuses
it, whatever it brings, is its answer; else the application says to go on.
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
    """Nothing in the head speaks against the request."""
    return Response(status=HTTPStatus.CONTINUE)


def is_to_go_on(response: AnyResponse) -> bool:
    """Whether a response is no answer yet, but asks for the body."""
    return response.status_code == HTTPStatus.CONTINUE
