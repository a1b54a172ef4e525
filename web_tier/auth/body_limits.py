"""Limits of requests' bodies by route, known from the request line alone.

The HTTP server applies them before it stores a byte of a body.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from gunicorn.util import split_request_uri
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from web_tier.auth.route_rules import body_limit

if TYPE_CHECKING:
    from werkzeug.routing import Map


class BodyLimits:
    """The limit of each route of an application.

    Args:
        routes: of the application.
    """

    def __init__(self, routes: Map) -> None:
        self._adapter = routes.bind("localhost")
        # Most requests with a body go to one address.
        self._limit_of = lru_cache(maxsize=256)(self._match)

    def __call__(self, line: bytes) -> int | None:
        """Return the most bytes of a body, or None where no route takes the request.

        Args:
            line: the request line.
        """
        method, _, rest = line.partition(b" ")
        target, _, _ = rest.partition(b" ")
        return self._limit_of(method, target.partition(b"?")[0])

    def _match(self, method: bytes, target: bytes) -> int | None:
        try:
            path = split_request_uri(target.decode("latin-1")).path
            text = unquote_to_bytes(path.encode("latin-1")).decode(errors="replace")
            endpoint, _ = self._adapter.match(text, method.decode("latin-1"))
        except (HTTPException, RequestRedirect, ValueError):
            return None
        return body_limit(endpoint, method.decode("latin-1"))
