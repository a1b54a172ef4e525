"""The web application on memory doubles, and a client that speaks to it without a socket."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gridwell.adapters.memory import ManualClock
from gridwell.engine.job import JobState, expiry
from gridwell.engine.task_set import TaskSet
from gridwell.kinds.grid.formats.atoms.npy import float64_header
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.map_objects import map_object
from gridwell.kinds.grid.names import MAP_KIND
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.registry import KINDS
from tests.harness.builders import SIGNER
from tests.harness.web import Fused, World
from web_tier.app import create_app
from web_tier.auth.policy import Access
from web_tier.dependencies import Dependencies
from web_tier.jobs.cached_jobs import encode_final, final_key
from web_tier.jobs.event_publisher import both
from web_tier.jobs.service import JobService
from web_tier.monitoring.metrics import Metrics
from web_tier.monitoring.readiness import Readiness
from web_tier.overload.concurrency_limit import ConcurrencyLimit, ConcurrencyLimits, default_limits
from web_tier.overload.queue_limit import QueueLimit
from web_tier.waiting.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from apiflask import APIFlask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from gridwell.engine.job import Job
    from gridwell.engine.job_events import JobEvent
    from tests.harness.web import Fuse
    from web_tier.jobs.quota_check import QuotaCheck

SMALL: dict[str, Any] = {"grid_size": 4, "atom_count": 5, "seed": 1}


def a_service(
    world: World,
    fuse: Fuse | None = None,
    admit: Callable[[], None] = lambda: None,
    allowance: QuotaCheck | None = None,
    tell: Callable[[JobEvent], None] = lambda _: None,
) -> JobService:
    """A service whose calls, but those of the cache, may go through a fuse."""

    def port(double: Any) -> Any:
        return double if fuse is None else Fused(double, fuse)

    service = JobService(
        signer=SIGNER,
        ledger=port(world.ledger),
        store=port(world.store),
        cache=world.cache,
        chunks=port(world.chunks),
        clock=world.clock,
        draw_attempt=lambda: secrets.token_hex(8),
        admit=admit,
        tell=tell,
        kinds=KINDS,
    )
    return service if allowance is None else replace(service, charge=allowance.charge)


def problem_of(service: JobService, job: Job) -> Problem | None:
    """The problem of a job, as it is stored."""
    spec = service.spec(job)
    return None if spec is None else Problem.decode(spec, sha=job.spec)


def narrow_gates() -> ConcurrencyLimits:
    """Gates of one place each, where nobody may wait."""
    clock = ManualClock()
    return ConcurrencyLimits(
        submits=ConcurrencyLimit("submits", clock=clock, places=1),
        large_bodies=ConcurrencyLimit("large bodies", clock=clock, places=1),
        downloads=ConcurrencyLimit("downloads", clock=clock, places=1),
    )


@dataclass(slots=True)
class Site:
    """A web process."""

    world: World = field(default_factory=World)
    fuse: Fuse | None = None
    capacity: int = 4
    max_backlog: int = 30_000
    dollars_per_hour: float = 0.0
    kill: Callable[[str], None] | None = None
    tell: Callable[[JobEvent], None] = lambda _: None
    readiness: Readiness | None = None  #: of this world if it is left out
    metrics: Metrics = field(default_factory=Metrics)
    gates: ConcurrencyLimits | None = None  #: the usual ones if it is left out
    access: Access = field(default_factory=Access)
    allowance: QuotaCheck | None = None
    watcher: Watcher = field(init=False)
    app: APIFlask = field(init=False)
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        world = self.world
        self.watcher = Watcher(
            cache=world.cache,
            ledger=world.ledger,
            clock=world.clock,
            capacity=self.capacity,
            streams=self.capacity,
            kinds=KINDS,
        )
        backlog = QueueLimit(world.chunks, clock=world.clock, limit=self.max_backlog)
        gates = default_limits(world.clock) if self.gates is None else self.gates
        self.metrics.watch_rooms(gates, self.watcher)
        tell = both(self.metrics.tell, self.tell)
        service = a_service(world, self.fuse, backlog.admit, self.allowance, tell)
        readiness = self.readiness or Readiness(
            ledger=service.ledger,
            store=service.store,
            chunks=service.chunks,
            cache=world.cache,
            fleet=world.ledger,
            name="gridwell",
            clock=world.clock,
        )
        parts = Dependencies(
            service=service,
            watcher=self.watcher,
            fleet=world.ledger,
            clock=world.clock,
            access=self.access,
            gates=gates,
            readiness=readiness,
            metrics=self.metrics,
            dollars_per_hour=self.dollars_per_hour,
            kill=self.kill,
        )
        self.app = create_app(parts)
        self.client = self.app.test_client()

    def post(self, body: Any, **headers: str) -> TestResponse:
        """Submit: a value goes as JSON, bytes and text as they are."""
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.post(
            "/v1/jobs",
            data=data,
            content_type="application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    def stored(self, response: TestResponse) -> Job:
        """The job that a response shows, as the ledger has it."""
        assert response.json is not None
        job = self.world.ledger.read(response.json["id"])
        assert job is not None
        return job

    def finish(self, job: Job) -> None:
        """Let workers compute all of a job, and the collector end it."""
        if job.has_rows:
            self._finish_tasks(job)
            return
        problem = problem_of(a_service(self.world), job)
        assert problem is not None
        if job.kind == MAP_KIND:
            self.world.keep_map(job, problem)
        self.world.answer(job, problem)
        collector = self.world.collector()
        while collector.step().received:
            pass
        assert self.world.job(job).state.terminal

    def _finish_tasks(self, job: Job) -> None:
        ledger, now = self.world.ledger, self.world.clock.now()
        tasks, workers = TaskSet.span(0, job.tasks), frozenset({"worker-1"})
        if job.blocks is None:
            merged = ledger.record_tasks(
                job.id, job.attempt, workers=workers, now=now, done=frozenset(tasks)
            )
        else:
            settled = ledger.settle(
                job.id, job.attempt, job.blocks, tasks, TaskSet.of(()), expires=expiry(job.deadline)
            )
            full = frozenset(block.number for block in settled)
            merged = ledger.record_tasks(job.id, job.attempt, workers=workers, now=now, full=full)
        assert merged is not None
        assert self.world.finisher().finish(merged) is not None

    def done(self, body: dict[str, Any] | None = None) -> Job:
        """A job that was submitted and computed."""
        job = self.stored(self.post(SMALL if body is None else body))
        self.finish(job)
        return self.world.job(job)


def broken_application() -> APIFlask:
    """A site whose one job keeps a map of 8 MiB, of which the last chunk is gone."""
    site = Site()
    job = site.stored(site.post({"grid_size": 101, "atom_count": 1, "keep_grid": True}))
    done = replace(job, state=JobState.DONE, finished=site.world.clock.now())
    site.world.values.set(final_key(job.id), encode_final(done), seconds=3600)
    for chunk in range(job.tasks - 1):
        data = float64_header(grid_view(job).chunking.box(chunk).shape) + bytes(
            8 * grid_view(job).chunking.box(chunk).points
        )
        site.world.store.put_new(map_object(job.id, job.attempt, chunk), data, content_type="")
    return site.app


def application() -> APIFlask:
    """A site for a real web server to serve, in a process of its own."""
    return Site().app
