"""What browsers may keep of an answer, and how they may come again."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import request

from web_tier.auth.caller import caller

if TYPE_CHECKING:
    from flask import Response

_HSTS: Final = "max-age=31536000"  #: a year; of other hosts of the domain it says nothing
_HTML: Final = "text/html"


def protect(response: Response) -> Response:
    """Return the response with headers against what a browser keeps and where it is led.

    Pages, and all that is answered to a session, are kept nowhere: after logging out, the back
    button and the browser's disk show no molecule.  Programs that send a key keep what the route
    lets them.
    """
    # An answer without a body has the media type that the framework supposes.
    is_page = response.mimetype == _HTML and response.status_code != HTTPStatus.NOT_MODIFIED
    if is_page or caller().session is not None:
        response.headers["Cache-Control"] = "no-store"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = _HSTS
    return response
