"""The headers by which browsers protect their users, of every answer of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flask import Response

#: Nothing is loaded from elsewhere, so nothing needs to be allowed to be.  Styles of elements are
#: set by the scripts that draw.
_POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)


def harden(response: Response) -> Response:
    """Return the same response with the headers by which browsers protect their users."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")  # for browsers without frame-ancestors
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    # Nothing is told to others; our own forms say where they come from, which `crossing` asks.
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
