"""Looking at the fleet, and at this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apiflask import APIBlueprint

import gridwell
from web_tier.api import docs
from web_tier.api.models import Health
from web_tier.api.responses import json_response
from web_tier.api.showing import show_fleet
from web_tier.parts import here

if TYPE_CHECKING:
    from flask import Response

routes = APIBlueprint("fleet", __name__)


@routes.get("/v1/fleet")
@routes.doc(**docs.FLEET)
def fleet() -> Response:
    """The fleet as the autoscaler last wrote it."""
    return json_response(show_fleet(here().fleet.view(), here().clock.now()))


@routes.get("/healthz")
@routes.doc(**docs.HEALTH)
def healthz() -> Response:
    """This process answers.  It asks nobody else: an outage of memcached must not end web hosts."""
    return json_response(Health(status="ok", version=gridwell.__version__))
