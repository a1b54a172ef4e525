"""Dependencies of the web application."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

from flask import current_app

from web_tier.auth.caller import caller
from web_tier.auth.policy import Access
from web_tier.auth.security_log import note_foreign, note_job
from web_tier.jobs.event_publisher import both
from web_tier.monitoring.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask

    from gridwell.engine.ports import Clock
    from gridwell.fleet.ports import FleetLedger
    from web_tier.jobs.service import JobService
    from web_tier.kind import WebKind
    from web_tier.monitoring.readiness import Readiness
    from web_tier.overload.concurrency_limit import ConcurrencyLimits
    from web_tier.waiting.watcher import Watcher

_KEY: Final = "gridwell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The parts of one application."""

    service: JobService
    watcher: Watcher
    fleet: FleetLedger
    clock: Clock
    gates: ConcurrencyLimits
    readiness: Readiness
    access: Access = field(default_factory=Access)
    metrics: Metrics = field(default_factory=Metrics)
    dollars_per_hour: float = 0.0  #: what an instance costs, for estimates
    close: Callable[[], None] = lambda: None  #: ends what works in the background
    kill: Callable[[str], None] | None = None  #: kills an instance, where that is on offer
    #: Kinds of work by name; the first one reads requests that name none.
    kinds: Mapping[str, WebKind] = field(default_factory=dict)


def provide(app: Flask, parts: Dependencies) -> None:
    """Give an application's views their dependencies, and log what their callers do."""
    service = parts.service
    watched = replace(service, tell=both(service.tell, note_job), foreign=note_foreign)
    app.extensions[_KEY] = replace(parts, service=watched)


def dependencies_of(app: Flask) -> Dependencies:
    """Return the dependencies that an application was given."""
    return cast("Dependencies", app.extensions[_KEY])


def current() -> Dependencies:
    """Return the dependencies of the application that handles this request.

    Views see the caller's jobs alone.
    """
    parts = dependencies_of(current_app)
    return replace(parts, service=replace(parts.service, client=caller().client))
