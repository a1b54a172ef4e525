"""A site for browsers to look at: on memory doubles, with a worker that takes its time."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

from app_tier.handlers import HANDLERS
from gridwell.domain.fleet import Decision, Depth, FleetView, InstanceView
from gridwell.domain.messages import ChunkMessage
from gridwell.domain.objects import problem_object
from gridwell.domain.problem import Problem
from tests.builders import a_result, a_series
from tests.web_tier.http import Site

if TYPE_CHECKING:
    from apiflask import APIFlask

    from gridwell.domain.job import Job
    from tests.web_tier.world import World

CHUNK_SECONDS: Final = "GRIDWELL_TEST_CHUNK_SECONDS"  #: how long a chunk is worked at
SLOW_ATOMS: Final = 17  #: jobs of so many atoms take half a second a chunk
STUCK_ATOMS: Final = 13  #: jobs of so many atoms are never computed: there is time to cancel them
_WORKER: Final = "arn:aws:ec2:us-east-1:123456789012:instance/i-0c0ffee0c0ffee000"


def application() -> APIFlask:
    """The site for gunicorn to serve."""
    site = Site(capacity=64, kill=lambda _: None)  # so that the fleet's page has its buttons
    site.world.ledger.write_view(_fleet(site.world.clock.now()))
    seconds = float(os.environ.get(CHUNK_SECONDS, "0.1"))
    threading.Thread(target=_work, args=(site, seconds), daemon=True).start()
    return site.app


def _work(site: Site, seconds: float) -> None:
    """Compute a chunk at a time, for ever."""
    world = site.world
    collector = world.collector()
    while True:
        time.sleep(seconds)
        world.clock.advance(seconds)
        for received in world.chunks.receive(at_most=1, wait=0):
            message = ChunkMessage.decode(received.body)
            job = world.ledger.read(message.job)
            data = world.store.get(problem_object(message.problem))
            assert job is not None
            assert data is not None
            if job.atom_count == STUCK_ATOMS:
                world.chunks.delete([received.receipt])
                continue
            if job.atom_count == SLOW_ATOMS:
                time.sleep(0.5)
            problem = Problem.decode(data, sha=message.problem)
            box = job.plan.box(message.chunk)
            found = HANDLERS[message.kind](problem, box, None, lambda _: None)
            if job.series is None:
                result = a_result(job, message.chunk, found.best, worker=_WORKER).encode()
            else:
                if job.atom_count == SLOW_ATOMS:
                    _tell(world, job, len(found.points))
                result = a_series(job, *found.points, worker=_WORKER).encode()
            world.results.send([result])
            world.chunks.delete([received.receipt])
        collector.step()


def _tell(world: World, job: Job, points: int) -> None:
    """Say that one point of a series after the other is found, a second of the clock apart."""
    for found in range(1, points):
        world.ledger.tell_found(job.id, job.attempt, found, now=world.clock.now())
        world.clock.advance(1.0)
        time.sleep(0.3)


def _fleet(now: float) -> FleetView:
    return FleetView(
        at=now,
        instances=(
            InstanceView(
                id=_WORKER.rsplit("/", 1)[-1], state="running", slot=0, since=now - 90, busy=1
            ),
            InstanceView(id="i-0deadbeef00000000", state="stopped", slot=1, since=now - 900),
        ),
        queue=Depth(visible=412, in_flight=8),
        cap=19,
        decisions=(
            Decision(
                at=now - 30,
                reason="8 chunks waiting + 0 in flight = 8, want 2 of cap 19; 1 running; launch 1",
                launch=1,
            ),
        ),
    )
