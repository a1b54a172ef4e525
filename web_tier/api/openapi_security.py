"""What /openapi.json says of keys and limits, made from the rules that the guard keeps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from web_tier.api.openapi import problem
from web_tier.auth.route_rules import ANY_NAME, rule_of

if TYPE_CHECKING:
    from werkzeug.routing import Map

_SCHEME: Final = "key"
_HEADERS: Final[dict[str, Any]] = {
    "Retry-After": {
        "description": "seconds after which to try again",
        "schema": {"type": "integer", "minimum": 1},
    },
}


def secure(spec: dict[str, Any], routes: Map, *, is_open: bool) -> dict[str, Any]:
    """Add to a description which key each route needs, and what those hear who have none.

    Args:
        spec: the description.
        routes: of the application.
        is_open: whether this service asks nobody for a key.
    """
    spec["components"]["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "gw_<id>_<secret>",
            "description": "A key that the operator made by `gridwell keys create`.",
        }
    }
    for route in routes.iter_rules():
        path = re.sub(r"<(?:[^<>:]*:)?([^<>]*)>", r"{\1}", route.rule)
        rule = rule_of(route.endpoint)
        for method in route.methods or ():
            operation = spec["paths"].get(path, {}).get(method.lower())
            if operation is None:
                continue
            if route.endpoint not in ANY_NAME:
                operation["responses"]["421"] = problem("The server does not go by that name.")
            if rule is None:
                operation["security"] = []
                continue
            # Scopes of a bearer key have no place in OpenAPI but the words.
            needs = (
                f"Where keys are asked for, needs one that allows `{rule.scope}`."
                if is_open
                else f"Needs a key that allows `{rule.scope}`."
            )
            operation["description"] = f"{operation.get('description', '')} {needs}".strip()
            operation["security"] = [{_SCHEME: []}, *([{}] if is_open else [])]
            operation["responses"] |= {
                "401": problem("The key is missing, wrong, expired or revoked."),
                "403": problem(f"The key does not allow `{rule.scope}`."),
                "429": problem(f"Too many {rule.kind}, or too many wrong keys.")
                | {"headers": _HEADERS},
            }
    return spec
