"""The web application, put together from its dependencies and kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from apiflask import APIFlask

import gridwell
from gridwell.engine import limits
from web_tier.api import error_handlers, fleet, job_events, jobs, openapi, openapi_security
from web_tier.api.constant import constant
from web_tier.auth import guard
from web_tier.dependencies import provide
from web_tier.kinds.registry import WEB_KINDS
from web_tier.monitoring import request_ids
from web_tier.pages import layout, login
from web_tier.pages import routes as pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_tier.dependencies import Dependencies
    from web_tier.kind import WebKind

#: The version of the interface, which those see who may not know the release.
_INTERFACE: Final = "1"
_YEAR: Final = 31_536_000


def create_app(parts: Dependencies, *, kinds: Mapping[str, WebKind] = WEB_KINDS) -> APIFlask:
    """Return the application: a WSGI callable.

    It starts no thread and calls nothing outside, so it may be made before a fork.

    Args:
        parts: its dependencies.
        kinds: of work that it takes and shows, by name; the first one reads requests that name
            none.
    """
    parts = replace(parts, kinds=kinds)
    is_open = parts.access.keyring is None
    # No docs_path: the documentation pages would load scripts from elsewhere.
    app = APIFlask(
        "web_tier",
        title="Gridwell",
        version=gridwell.__version__ if is_open else _INTERFACE,
        json_errors=False,
        docs_path=None,
        static_url_path=layout.static_path(),
    )
    app.tags = ["Jobs", "Fleet"]
    app.config["OPENAPI_VERSION"] = "3.1.0"
    app.config["AUTO_404_RESPONSE"] = False
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = _YEAR
    # One more than the limit: of a body in pieces the framework gives what fits, and no error.
    app.config["MAX_CONTENT_LENGTH"] = limits.MAX_BODY_BYTES + 1
    # A form's fields; files are limited by the body.  But the framework also holds each piece of
    # 65,536 bytes that it reads to this, with what it left of the piece before: so two of them.
    app.config["MAX_FORM_MEMORY_SIZE"] = 131_072
    app.description = (
        "Finds the point of a 3-D grid where the summed effect of many atoms is least."
    )

    @app.spec_processor
    def complete(spec: dict[str, Any] | str) -> dict[str, Any] | str:
        if isinstance(spec, str):
            return spec
        return openapi.ordered(
            openapi_security.secure(openapi.complete(spec, kinds), app.url_map, is_open=is_open)
        )

    # The description takes milliseconds to write, and anybody may ask for it.
    app.view_functions["openapi.spec"] = lambda: constant(
        lambda: app.json.dumps(app.spec), "application/json", "public, max-age=300"
    )
    provide(app, parts)
    request_ids.name_each(app, by_proxies=parts.access.proxies > 0)
    parts.metrics.watch(app)
    error_handlers.register(app)
    layout.furnish(app)
    guard.install(app, parts.access, parts.clock)
    for part in (jobs, job_events, fleet, pages, login):
        app.register_blueprint(part.routes)
    for kind in dict.fromkeys(kinds.values()):
        for routes in kind.routes:
            app.register_blueprint(routes)
    return app
