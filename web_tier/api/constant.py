"""Answers that stay the same for as long as a process lives, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Response, current_app, request

from web_tier.api.etags import tagged

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY: Final = "gridwell_constants"


def constant(make: Callable[[], str], content_type: str, cache: str) -> Response:
    """Return the answer of the route at hand, which is made for the first request alone.

    Args:
        make: makes its text, from nothing that a request brings.
        content_type: of the text.
        cache: its Cache-Control.
    """
    made: dict[str, bytes] = current_app.extensions.setdefault(_KEY, {})
    endpoint = str(request.endpoint)
    if endpoint not in made:
        made[endpoint] = make().encode()
    return tagged(Response(made[endpoint], content_type=content_type), cache)
