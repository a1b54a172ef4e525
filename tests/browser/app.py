"""A site for browsers to look at: on memory doubles, with a worker that takes its time."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

from app_tier.kinds.grid.runners import MINIMUM, SERIES
from gridwell.access.keys import ID_BYTES, SECRET_BYTES, make_key
from gridwell.engine.messages import ChunkMessage
from gridwell.engine.object_keys import problem_object
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.problem import Problem
from tests.browser.fleet import an_hour
from tests.harness.builders import a_result, a_series
from tests.harness.web_http import Site
from tests.harness.web_keys import USUAL, Keyed

if TYPE_CHECKING:
    from apiflask import APIFlask

    from gridwell.engine.job import Job
    from tests.harness.web import World

CHUNK_SECONDS: Final = "GRIDWELL_TEST_CHUNK_SECONDS"  #: how long a chunk is worked at
PROXIES: Final = "GRIDWELL_TEST_PROXIES"  #: how many stand before `keyed`
HOST: Final = "grid.example.test"
SLOW_ATOMS: Final = 17  #: jobs of so many atoms take half a second a chunk
STUCK_ATOMS: Final = 13  #: jobs of so many atoms are never computed: there is time to cancel them
_INSTANCE: Final = "i-0c0ffee0c0ffee000"
_WORKER: Final = f"arn:aws:ec2:us-east-1:123456789012:instance/{_INSTANCE}"


def application() -> APIFlask:
    """The site for gunicorn to serve."""
    # So that the fleet's page has its buttons and its bill.
    site = Site(capacity=64, kill=lambda _: None, dollars_per_hour=0.08925)
    site.world.ledger.write_view(an_hour(site.world.clock.now(), first=_INSTANCE))
    seconds = float(os.environ.get(CHUNK_SECONDS, "0.1"))
    threading.Thread(target=_work, args=(site, seconds), daemon=True).start()
    return site.app


#: Clients of `keyed`, and a key of each.
KEYS: Final = {
    client: make_key(
        client,
        USUAL,
        now=0.0,
        lifetime=None,
        key_id=bytes([number] * ID_BYTES),
        secret=bytes([number] * SECRET_BYTES),
    )
    for number, client in enumerate(("alice", "bob"), start=1)
}


def keyed() -> APIFlask:
    """A site that asks for keys, for gunicorn to serve; behind a proxy it is `HOST`."""
    site = Keyed(proxies=int(os.environ.get(PROXIES, "0")), hosts=frozenset({HOST}))
    for _, key in KEYS.values():
        assert site.ledger.add_key(key)
    threading.Thread(target=_work, args=(site.site, 0.1), daemon=True).start()
    return site.site.app


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
            if grid_view(job).atom_count == STUCK_ATOMS:
                world.chunks.delete([received.receipt])
                continue
            if grid_view(job).atom_count == SLOW_ATOMS:
                time.sleep(0.5)
            problem = Problem.decode(data, sha=message.problem)
            box = grid_view(job).chunking.box(message.chunk)
            found = (MINIMUM if grid_view(job).series is None else SERIES).search(
                problem, box, None, lambda _: None
            )
            if grid_view(job).series is None:
                result = a_result(job, message.chunk, found.best, worker=_WORKER).encode()
            else:
                if grid_view(job).atom_count == SLOW_ATOMS:
                    _tell(world, job, len(found.points or ()))
                result = a_series(job, *(found.points or ()), worker=_WORKER).encode()
            world.results.send([result])
            world.chunks.delete([received.receipt])
        collector.step()


def _tell(world: World, job: Job, points: int) -> None:
    """Say that one point of a series after the other is found, a second of the clock apart."""
    for found in range(1, points):
        world.ledger.report_progress(job.id, job.attempt, found, now=world.clock.now())
        world.clock.advance(1.0)
        time.sleep(0.3)
