"""Bodies of requests for the grid kinds, read as the service reads them."""

from __future__ import annotations

from web_tier.api.request_body import json_object
from web_tier.kinds.grid.request import GridQuestion, read_fields


def read_job(body: bytes) -> GridQuestion:
    """Return what a body asks for."""
    return read_fields(json_object(body))
