"""The pages for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, render_template

import gridwell
from gridwell.domain import limits

if TYPE_CHECKING:
    from flask import Response

#: Nothing is loaded from elsewhere, so nothing needs to be allowed to be.
_POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)


routes = Blueprint("pages", __name__)


@routes.get("/")
def home() -> str:
    """The one page: a form, the progress of a job, its result, the fleet."""
    return render_template(
        "home.html",
        version=gridwell.__version__,
        max_grid_size=int(limits.MAX_POINTS ** (1 / 3)),
        max_atoms=limits.MAX_ATOMS,
        max_seed=limits.MAX_SEED,
    )


@routes.after_app_request
def harden(response: Response) -> Response:
    """The same response with the headers by which browsers protect their users."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response
