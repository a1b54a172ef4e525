"""Cross-origin resource sharing: responses that scripts of other origins may read.

No response allows credentials.  So browsers send no cookie, or withhold the response.  A page that
wants more than files sends a key that its user gave to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request

from web_tier.auth.route_rules import is_shared

if TYPE_CHECKING:
    from flask import Response

_REMEMBERED_SECONDS: Final = 3600  #: so long a browser need not ask before it sends
_TAKEN: Final = (
    "Accept, Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer, X-Request-ID"
)
_SHOWN: Final = (
    "Accept-Ranges, Content-Disposition, Content-Length, ETag, Location, Preference-Applied, "
    "RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-ID"
)


def share(response: Response, *, with_keys: bool) -> None:
    """Set the headers by which browsers let pages read a response.

    Args:
        response: any response; a page may read the reason of a refusal, too.
        with_keys: True if callers need keys.
    """
    if not is_shared(request.endpoint, with_keys=with_keys):
        # Not as a picture or a script either: its loading would reveal that it exists.
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = _SHOWN
    if request.method == "OPTIONS":
        methods = ", ".join(sorted(response.allow))
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = _TAKEN
        response.headers["Access-Control-Max-Age"] = str(_REMEMBERED_SECONDS)
