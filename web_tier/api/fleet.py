"""Looking at the fleet, and at this process."""

from __future__ import annotations

from http import HTTPStatus

from apiflask import APIBlueprint
from flask import Response

import gridwell
from web_tier.api import openapi
from web_tier.api.etags import ASK_AGAIN, tagged
from web_tier.api.models import Health, ReadinessShown
from web_tier.api.present import show_fleet
from web_tier.api.responses import NO_STORE, json_response
from web_tier.dependencies import current
from web_tier.monitoring.fleet_view import last_view
from web_tier.monitoring.metrics import TYPE
from web_tier.problem_details import problem_response, retry_after

routes = APIBlueprint("fleet", __name__)


@routes.get("/v1/fleet")
@routes.doc(**openapi.FLEET)
def fleet() -> Response:
    """The fleet as the autoscaler last wrote it."""
    parts = current()
    view = last_view(parts.fleet)
    shown = show_fleet(view, parts.clock.now(), dollars_per_hour=parts.dollars_per_hour)
    return tagged(json_response(shown), ASK_AGAIN)


@routes.get("/readyz")
@routes.doc(**openapi.READY)
def readyz() -> Response:
    """Whether this process can serve: what no job can do without answers."""
    ready = current().readiness.look()
    if ready.problems:
        return problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "; ".join(f"{name}: {words}" for name, words in ready.problems.items()),
            code="not_ready",
            headers={"Retry-After": retry_after()},
        )
    notes = [f"{name}: {words}" for name, words in ready.notes.items()]
    return json_response(ReadinessShown(status="ready", version=_release(), notes=notes))


@routes.get("/metrics")
@routes.doc(**openapi.METRICS)
def metrics() -> Response:
    """What this process counts, for Prometheus."""
    return Response(current().metrics.text(), content_type=TYPE, headers=NO_STORE)


@routes.get("/healthz")
@routes.doc(**openapi.HEALTH)
def healthz() -> Response:
    """This process answers.  It asks nobody else: an outage of memcached must not end web hosts."""
    return json_response(Health(status="ok", version=_release()))


def _release() -> str | None:
    """The release, unless anybody may ask: an attacker would look for what is known of it."""
    return gridwell.__version__ if current().access.keyring is None else None
