"""A web process on memory doubles, whose jobs are computed a while after they came.

So what is measured is the door alone: no AWS and no worker, and memcached only where it is named.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.middleware.proxy_fix import ProxyFix

from gridwell.access.keys import ID_BYTES, SECRET_BYTES, Scope, make_key
from gridwell.adapters.memcached.cache import MemcachedCache
from gridwell.adapters.system_clock import SystemClock
from gridwell.engine.job import DEADLINE_EXCEEDED, JobError
from gridwell.kinds.grid.job_view import grid_view
from tests.harness.waiting import DEADLINE
from tests.harness.web import World
from tests.harness.web_http import Site, narrow_gates
from tests.harness.web_keys import USUAL, Keyed
from web_tier.auth.policy import Access
from web_tier.auth.proxies import trusting
from web_tier.dependencies import dependencies_of
from web_tier.http_server import buffering_worker, request_buffer
from web_tier.overload.concurrency_limit import ConcurrencyLimit, ConcurrencyLimits, default_limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from apiflask import APIFlask

    from gridwell.access.keys import AccessKey

DELAY = "GRIDWELL_TEST_DELAY"  #: seconds from a job's arrival to its end
CAPACITY = "GRIDWELL_TEST_CAPACITY"  #: how many requests may wait

PROXIES = "GRIDWELL_TEST_PROXIES"  #: how many proxies are trusted
#: What `seen` shows of a request.
SEEN = ("SCRIPT_NAME", "PATH_INFO", "HTTP_HOST", "REMOTE_ADDR", "wsgi.url_scheme")
MEMCACHED = "GRIDWELL_TEST_MEMCACHED"  #: its address, if there shall be a real one

OPENS = "GRIDWELL_TEST_OPENS"  #: a file, with which submissions begin in `shared`
PLACES, QUEUED, HELD = 4, 16, 8 << 20  #: of the gates, queues and bytes of `shared`
A_KEY, A_READER, NO_KEY, ANOTHER = 1, 2, 3, 4  #: numbers for `fixed_key`
READER = frozenset({Scope.READ, Scope.METRICS})

NEVER = 1e9  #: a delay after which nobody waits
MOST_PAIRS = 100_000  #: more is not computed here: such a job fails
TOO_LONG = JobError(DEADLINE_EXCEEDED, "nobody here computes so much")


def application() -> APIFlask:
    """The site for gunicorn to serve."""
    world: Any = World()
    if address := os.environ.get(MEMCACHED):
        world.cache = MemcachedCache(address)
    site = Site(world, capacity=int(os.environ.get(CAPACITY, "512")))
    delay = float(os.environ.get(DELAY, "0.2"))
    if delay < NEVER:
        threading.Thread(target=_finish, args=(site, delay), daemon=True).start()
    return site.app


def _finish(site: Site, delay: float) -> None:
    """Compute whatever has waited long enough, for ever."""
    seen: dict[str, float] = {}
    while True:
        time.sleep(0.05)
        now = time.monotonic()
        open_jobs = site.world.ledger.unfinished()
        seen = {job: seen.get(job, now) for job in open_jobs}
        for job in [job for job, since in seen.items() if now - since >= delay]:
            found = site.world.ledger.read(job)
            if found is None:
                continue
            if found.has_rows:
                site.finish(found)
                continue
            view = grid_view(found)
            searches = 1 if view.series is None else view.series.count
            if searches * view.grid.points * view.atom_count <= MOST_PAIRS:
                site.finish(found)
            else:
                site.world.finisher().fail(found, TOO_LONG)


def full() -> APIFlask:
    """A site where submissions are refused, as the one place for them is taken."""
    site = Site(gates=narrow_gates())
    assert dependencies_of(site.app).gates.submits.try_enter() is not None
    return site.app


def hasty() -> APIFlask:
    """A site that gives the head of a request half a second."""
    request_buffer.HEAD_SECONDS = 0.5  # type: ignore[misc]
    return Site().app


def lingering() -> APIFlask:
    """A site that gives a client for ever to send a head and to close its end."""
    request_buffer.HEAD_SECONDS = 10 * DEADLINE  # type: ignore[misc]
    buffering_worker.LINGER_SECONDS = 10 * DEADLINE  # type: ignore[misc]
    return Site().app


def keyed() -> APIFlask:
    """A site that asks for keys, of which `A_KEY` is one that may submit, and `A_READER` not."""
    site = Keyed()
    for number, scopes in ((A_KEY, USUAL), (A_READER, READER)):
        _, key = fixed_key(number, scopes)
        assert site.ledger.add_key(key)
    return site.site.app


def seen() -> APIFlask:
    """A site that answers every request with what is left of it behind the guard's proxies."""
    app = Site(access=Access(proxies=int(os.environ[PROXIES]))).app
    behind: Any = app.wsgi_app

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        shown = json.dumps({name: environ.get(name) for name in SEEN}).encode()
        start_response("200 OK", [("Content-Length", str(len(shown)))])
        return [shown]

    shown_by: Any = application
    is_trusting = isinstance(behind, ProxyFix)
    app.wsgi_app = trusting(shown_by, behind.x_for) if is_trusting else shown_by  # type: ignore[method-assign]
    return app


def shared() -> APIFlask:
    """A keyed site of which `A_KEY` and `ANOTHER` are two clients, with room for little."""
    buffering_worker.HELD_BYTES = HELD  # type: ignore[misc]
    site = Keyed(gates=small_gates(), capacity=PLACES)
    for number, client in ((A_KEY, "alice"), (ANOTHER, "bob")):
        _, key = fixed_key(number, USUAL | {Scope.METRICS}, client)
        assert site.ledger.add_key(key)
    return site.site.app


def shared_open() -> APIFlask:
    """The same without keys: each address is an owner."""
    buffering_worker.HELD_BYTES = HELD  # type: ignore[misc]
    return Site(gates=small_gates(), capacity=PLACES).app


def small_gates() -> ConcurrencyLimits:
    """Gates of a few places, of which submissions open when the file `OPENS` is there."""
    clock = SystemClock()
    gates = replace(
        default_limits(clock),
        downloads=ConcurrencyLimit("large downloads", clock=clock, places=PLACES, displaces=True),
    )
    if opens := os.environ.get(OPENS):
        buffering_worker.QUEUED_MOST = QUEUED  # type: ignore[misc]
        buffering_worker.QUEUED_SECONDS = 600.0  # type: ignore[misc]
        gates = replace(gates, submits=ConcurrencyLimit("submissions", clock=clock, places=1))
        place = gates.submits.enter()

        def leave() -> None:
            while not Path(opens).exists():
                time.sleep(0.01)
            place.leave()

        threading.Thread(target=leave, daemon=True).start()
    return gates


def fixed_key(
    number: int, scopes: frozenset[Scope] = USUAL, client: str = "alice"
) -> tuple[str, AccessKey]:
    """The same key in each process."""
    return make_key(
        client,
        scopes,
        now=0.0,
        lifetime=None,
        key_id=bytes([number] * ID_BYTES),
        secret=bytes([number] * SECRET_BYTES),
    )
