"""The web application, put together from parts that others chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIFlask

import gridwell
from gridwell.domain import limits
from web_tier import pages, problems
from web_tier.api import docs, files, fleet, jobs
from web_tier.parts import give

if TYPE_CHECKING:
    from web_tier.parts import Parts


def create_app(parts: Parts) -> APIFlask:
    """The application: a WSGI callable.

    It starts no thread and calls nothing outside, so it may be made before a fork.
    """
    # No docs_path: the documentation pages would load scripts from elsewhere.
    app = APIFlask(
        "web_tier",
        title="Gridwell",
        version=gridwell.__version__,
        json_errors=False,
        docs_path=None,
    )
    app.tags = ["Jobs", "Fleet"]
    app.config["OPENAPI_VERSION"] = "3.1.0"
    app.config["AUTO_404_RESPONSE"] = False
    # One more than the limit: of a body in pieces the framework gives what fits, and no error.
    app.config["MAX_CONTENT_LENGTH"] = limits.MAX_BODY_BYTES + 1
    app.description = (
        "Finds the point of a 3-D grid where the summed effect of many atoms is least."
    )

    @app.spec_processor
    def complete(spec: dict[str, Any] | str) -> dict[str, Any] | str:
        return spec if isinstance(spec, str) else docs.complete(spec)

    give(app, parts)
    problems.register(app)
    for routes in (jobs.routes, files.routes, fleet.routes, pages.routes):
        app.register_blueprint(routes)
    return app
