"""Headers that limit what browsers cache and how they connect."""

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
    """Return the response with `Cache-Control` and `Strict-Transport-Security`.

    Pages, and all responses to a session, are not cached: after a logout, the back button and the
    browser's disk show no molecule.  Programs that send a key may cache what the route allows.
    """
    # An answer without a body has the media type that the framework supposes.
    is_page = response.mimetype == _HTML and response.status_code != HTTPStatus.NOT_MODIFIED
    if is_page or caller().session is not None:
        response.headers["Cache-Control"] = "no-store"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = _HSTS
    return response
