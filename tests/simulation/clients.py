"""Clients: they ask, ask again, wait or come back, and believe only what is true."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import InvalidMessage, ServiceBusy
from gridwell.engine.job import JobState
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.map_objects import map_object
from gridwell.kinds.grid.map_reader import ChunkReader
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND
from gridwell.kinds.grid.work import work_of
from gridwell.kinds.registry import KINDS
from tests.simulation.compute import map_of
from tests.simulation.daemons import Supervised, web_ports
from tests.simulation.invariants import I3_ACCEPTED, I10_READ, I17, I22
from tests.simulation.kernel import Blocked
from web_tier.jobs.service import JobService
from web_tier.waiting.wait_list import Waiter
from web_tier.waiting.watcher import await_end

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from gridwell.kinds.grid.problem import Problem
    from tests.simulation.daemons import WebProcess
    from tests.simulation.simulated_system import World

_WAIT_SECONDS: Final = 30.0
_KEEPS: Final = 0.25  #: how many want the map too


class Client(Supervised):
    """Asks one problem, asks again until it is accepted, and reads until the job has ended.

    It lives in the web tier: its crash is that of the process that answers it.
    """

    def __init__(self, world: World, number: int, problem: Problem, client: str) -> None:
        self.problem = problem
        self.client = client
        self.told: Job | None = None  #: what it was told in the end
        self._job: Job | None = None
        self._tries = 0
        self._waits = world.sim.rng.random() < 0.5
        keeps = problem.series is None and world.sim.chance("keeps", number) < _KEEPS
        self._kind = MAP_KIND if keeps else MINIMUM_KIND
        self._ticket: Waiter | None = None
        self._web: WebProcess | None = None
        self._wait_until = 0.0
        rng = world.sim.rng
        cancels = world.sim.faults.rates.get("clients cancel") and rng.random() < 0.5
        self._cancel_at = world.sim.now + rng.uniform(0.0, 300.0) if cancels else float("inf")
        super().__init__(world, f"client {number}")

    @property
    def finished(self) -> bool:
        """Whether it has what it wanted."""
        return self.told is not None

    def begin(self) -> None:
        rng = self.sim.rng
        self._forget()
        self._service = JobService(
            **web_ports(self._world, self),
            clock=self.service_clock,
            draw_attempt=lambda: f"{rng.getrandbits(64):016x}",
            client=self.client,
            kinds=KINDS,
        )
        self._stranger = replace(self._service, client="somebody else")

    def step(self) -> float:
        pause = self.sim.rng.uniform(1.0, 10.0)
        try:
            if self._job is None:
                self._job = self._service.submit(work_of(self.problem, kind=self._kind))
                self._tries += 1
                self.sim.note(f"{self.name} has job {self._job.id[:6]}, {self._job.state}")
                self._judge(self._job)
            elif self.sim.now >= self._cancel_at:
                self._cancel(self._job)
            elif self._waits:
                self._wait(self._job)
            else:
                self._read(self._job)
        except ServiceBusy:
            self._forget()
        return pause

    def wait(self, job: Job, seconds: float) -> bool:
        """See `Watcher.wait`: blocks until the ticket is woken, or time is up."""
        ticket, until = self._ticket, self.sim.now + seconds
        if ticket is None:
            self._web = self.sim.rng.choice(self._world.webs)
            if not self._web.alive:
                self._web = None
                return False
            ticket = self._ticket = Waiter(
                job=job.id, attempt=job.attempt, read_at=self.clock.monotonic()
            )
            self._web.wait(ticket, self)
        if not ticket.event.is_set() and self.sim.now < self._wait_until:
            self.poll_until = until
            raise Blocked
        self._forget()
        return True

    def _cancel(self, seen: Job) -> None:
        self._forget()
        theirs = self._stranger.cancel(seen.id)
        self.sim.require(I10_READ, theirs is None, f"{seen.id} is cancelled by others")
        self._world.ledger.asked.add(seen.id)
        job = self._service.cancel(seen.id)
        self._cancel_at = float("inf")
        if job is not None and job.state is JobState.CANCELLED:
            self.sim.faults.injected["clients cancel"] += 1
            self._tries += 1  # it does not ask again
            self._judge(job)

    def _wait(self, job: Job) -> None:
        self._wait_until = min(self._wait_until, max(self._cancel_at, self.sim.now))
        if self._ticket is None:
            self._wait_until = self.sim.now + _WAIT_SECONDS
        left = self._wait_until - self.sim.now
        found, _ = await_end(job, left, watcher=self, clock=self.clock, read=self._look)
        self._forget()
        self._judge(found)

    def _look(self, job: str) -> Job | None:
        return self._service.read(job)

    def _read(self, seen: Job) -> None:
        job = self._look(seen.id)
        other = self._stranger.read(seen.id)
        self.sim.require(I10_READ, other is None, f"{seen.id} is shown to others")
        self.sim.require(I3_ACCEPTED, job is not None, f"job {seen.id} is gone")
        if job is not None:
            self._judge(job)

    def _judge(self, job: Job) -> None:
        if not job.state.terminal:
            return
        known, view = self._world.known[job.spec], grid_view(job)
        true = (
            (view.result, view.points) == (known.least, known.points)
            if job.state is JobState.DONE
            else job.attempt in self._world.ledger.ended_at
        )
        self.sim.require(I17, true, lambda: f"{self.name} is told {job}")
        if job.state is JobState.DONE and job.kind == MAP_KIND:
            self._read_map(job)
        # An hour is enough.
        hopeless = job.spec in (self._world.chunks.swallows, self._world.store.denied)
        if job.renewable(self.sim.now) and self._tries <= 1 and not hopeless:
            self._job = None
            return
        self.sim.note(f"{self.name} is told {job.state}")
        self.told = job
        self.kill()

    def _read_map(self, job: Job) -> None:
        """Read the map of a chunk: what was computed, or a word that it cannot be read."""
        chunk = self.sim.rng.randrange(job.tasks)
        expected = map_of(job.spec, grid_view(job).chunking.box(chunk))
        try:
            data = ChunkReader(self._world.store, job, chunk).read(0, len(expected))
        except InvalidMessage:
            altered = map_object(job.id, job.attempt, chunk) in self._world.judge.altered
            self.sim.require(I22, altered, f"the map of chunk {chunk} of {job.id} is refused")
        else:
            self.sim.require(I22, data == expected, f"a map of {job.id} is not what was computed")

    def _forget(self) -> None:
        """Wait no longer."""
        if self._ticket is not None and self._web is not None:
            self._web.leave(self._ticket)
        self._ticket = self._web = None
