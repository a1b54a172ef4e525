"""Requirements of each route: scope, rate limit, body.

A route that is not listed needs the scope `admin`, so that a forgotten one is closed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridwell.access.keys import Scope
from gridwell.engine import limits

if TYPE_CHECKING:
    from collections.abc import Mapping


class RouteKind(enum.StrEnum):
    """Kinds of calls, each with a rate limit of its own."""

    SUBMITS = "submits"
    READS = "reads"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """Requirements of a route."""

    scope: Scope
    kind: RouteKind


SUBMITS: Final = RouteRule(scope=Scope.SUBMIT, kind=RouteKind.SUBMITS)
READS: Final = RouteRule(scope=Scope.READ, kind=RouteKind.READS)
CHANGES: Final = RouteRule(
    scope=Scope.SUBMIT, kind=RouteKind.READS
)  #: light, and needs the right to submit
#: Of all clients together: no tenant learns how much the others do.
METRICS: Final = RouteRule(scope=Scope.METRICS, kind=RouteKind.READS)
CLOSED: Final = RouteRule(scope=Scope.ADMIN, kind=RouteKind.READS)

#: Routes without authentication: they reveal nothing of any job.
OPEN: Final = frozenset(
    {
        "access.login",
        "access.enter",
        "access.leave",
        "fleet.healthz",
        "fleet.readyz",
        "openapi.spec",
        "pages.interface",
        "static",
    }
)
#: Routes that are served under any host name: a health check knows only the server's address.
ANY_NAME: Final = frozenset({"fleet.healthz", "fleet.readyz"})
#: Routes that scripts of any page may read.
PUBLIC: Final = frozenset({"openapi.spec"})
#: Files that such a script may fetch with a key, as viewers of molecules do.
FILES: Final = frozenset(
    {
        "files.atoms",
        "files.record",
        "grids.grid_cube",
        "grids.grid_dx",
        "grids.grid_npz",
        "points.ions_file",
        "points.points_file",
    }
)
#: Further routes that such a script may call with a key.
WITH_KEY: Final = frozenset(
    {
        "events.events",
        "fleet.fleet",
        "jobs.cancel",
        "jobs.read",
        "jobs.recent",
        "jobs.submit",
        "points.result",
    }
)
RULES: Final[Mapping[str, RouteRule]] = {
    "jobs.submit": SUBMITS,
    "jobs.recent": READS,
    "jobs.read": READS,
    "jobs.cancel": CHANGES,
    "events.events": READS,
    "files.atoms": READS,
    "files.record": READS,
    "points.result": READS,  #: and, where it has to look for other points, SUBMITS
    "points.points_file": READS,
    "points.ions_file": READS,
    "grids.grid_cube": READS,
    "grids.grid_dx": READS,
    "grids.grid_npz": READS,
    "fleet.fleet": READS,
    "fleet.metrics": METRICS,
    "pages.home": READS,
    "pages.submit": SUBMITS,
    "pages.estimate": SUBMITS,  #: it reads a job or a file, which costs what submitting them does
    "pages.jobs": READS,
    "pages.job": READS,
    "pages.cancel": CHANGES,
    "pages.again": SUBMITS,
    "pages.fleet": READS,
    "pages.kill": CLOSED,
}
#: The most bytes of a body, of the routes that read one; every other route takes none.
BODIES: Final[Mapping[str, int]] = {
    "access.enter": 4 * 1024,  #: a key, and the path to go on to
    "jobs.submit": limits.MAX_BODY_BYTES,
    "pages.submit": limits.MAX_BODY_BYTES,
    "pages.estimate": limits.MAX_BODY_BYTES,
}
JSON: Final = frozenset({"application/json"})
FORM: Final = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})
#: The media types of these bodies.
BODY_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "access.enter": FORM,
    "jobs.submit": JSON,
    "pages.submit": FORM,
    "pages.estimate": FORM,
}
_WITH_BODY: Final = "POST"


def body_limit(endpoint: str | None, method: str) -> int:
    """Return the most bytes of a request's body; a route that is not in the table takes none."""
    return BODIES.get(endpoint or "", 0) if method == _WITH_BODY else 0


def body_types(endpoint: str | None, method: str) -> frozenset[str] | None:
    """Return the media types of a request's body; None: the route takes none."""
    return BODY_TYPES.get(endpoint or "") if method == _WITH_BODY else None


def rule_of(endpoint: str | None) -> RouteRule | None:
    """Return the requirements of a route; None if it is open, or if there is no such route."""
    if endpoint is None or endpoint in OPEN:
        return None
    return RULES.get(endpoint, CLOSED)


def is_shared(endpoint: str | None, *, with_keys: bool) -> bool:
    """Return True if scripts of other origins may read a route's responses.

    While access is open they may not, as each page in a user's browser could list, read and submit
    jobs.  Files are no exception: a page that knows a problem can compute the address of its file.
    """
    return endpoint in PUBLIC or (with_keys and (endpoint in FILES or endpoint in WITH_KEY))
