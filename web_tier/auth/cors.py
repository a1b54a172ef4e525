"""What scripts of pages of other origins may read (cross-origin resource sharing).

Nobody is let in by a cookie that way: no answer here allows credentials, so that browsers leave
cookies out, or withhold the answer.  A page that wants more than files shows a key, which its user
gave to it.
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
    """Tell browsers which pages may read a response, and what they may send before it.

    Args:
        response: also one that refuses: a page should see why.
        with_keys: whether callers need keys.
    """
    if not is_shared(request.endpoint, with_keys=with_keys):
        # Nor as a picture or a script, whose loading would tell whether it is there.
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = _SHOWN
    if request.method == "OPTIONS":
        methods = ", ".join(sorted(response.allow))
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = _TAKEN
        response.headers["Access-Control-Max-Age"] = str(_REMEMBERED_SECONDS)
