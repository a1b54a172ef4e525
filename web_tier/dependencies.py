"""What the web application stands on, chosen by whoever starts it."""

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
    from collections.abc import Callable

    from flask import Flask

    from gridwell.engine.ports import Clock
    from gridwell.fleet.ports import FleetLedger
    from web_tier.jobs.service import JobService
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


def provide(app: Flask, parts: Dependencies) -> None:
    """Let the application's views find their parts, and log what their callers do."""
    service = parts.service
    watched = replace(service, tell=both(service.tell, note_job), foreign=note_foreign)
    app.extensions[_KEY] = replace(parts, service=watched)


def dependencies_of(app: Flask) -> Dependencies:
    """The parts that an application was given."""
    return cast("Dependencies", app.extensions[_KEY])


def current() -> Dependencies:
    """The parts of the application that handles this request, as its caller may use them.

    Views see the caller's own jobs, and can forget nothing that would show them another's.
    """
    parts = dependencies_of(current_app)
    return replace(parts, service=replace(parts.service, client=caller().client))
