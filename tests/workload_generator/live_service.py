"""The real web tier on memory doubles behind a real socket, which can be made to lie."""

from __future__ import annotations

import io
import json
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server

from gridwell.engine.messages import ChunkMessage
from gridwell.engine.ports import Depth
from gridwell.fleet.model import FleetView, InstanceView
from tests.harness.web_http import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Quiet(WSGIRequestHandler):
    """Keeps connections open, as gunicorn does, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


class Live:
    """A web tier, and a worker that computes at once."""

    def __init__(self) -> None:
        self.site = Site(capacity=50)
        self.url = ""
        self.lie: Callable[[dict[str, Any]], None] | None = None  #: changes each job shown
        self.lie_of_record: Callable[[dict[str, Any]], None] | None = None
        self.lie_of_fleet: Callable[[dict[str, Any]], object] | None = None
        self.busy = 0  #: calls still to be answered with 503
        self.posts: list[dict[str, Any]] = []
        self.working = True
        self._over = threading.Event()
        self._lock = threading.Lock()

    def show_fleet(self, *states: str) -> None:
        """Let the fleet have instances in these states."""
        instances = tuple(
            InstanceView(id=f"i-{slot}", state=state, slot=slot, since=None)
            for slot, state in enumerate(states)
        )
        queue = Depth(visible=0, in_flight=0)
        self.site.world.ledger.write_view(
            FleetView(at=time.time(), instances=instances, queue=queue, cap=19)
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The WSGI application: the real one, now and then busy, now and then lying."""
        with self._lock:
            refused, self.busy = self.busy > 0, max(0, self.busy - 1)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if refused:
            start_response("503 Service Unavailable", [("Retry-After", "0")])
            return [b""]
        if environ["REQUEST_METHOD"] == "POST":
            self.posts.append(json.loads(body))
        path = environ["PATH_INFO"]
        if path.endswith("/record") and self.lie_of_record is not None:
            return self._changed(environ, start_response, self.lie_of_record)
        if path == "/v1/fleet" and self.lie_of_fleet is not None:
            return self._changed(environ, start_response, self.lie_of_fleet)
        is_job = path.startswith("/v1/jobs") and not path.endswith(("/record", "/atoms"))
        if is_job and self.lie is not None:
            return self._changed(environ, start_response, self.lie)
        return self.site.app(environ, start_response)

    def work(self) -> None:
        """Compute what is queued until told to end; the site's clock follows the real one."""
        world = self.site.world
        while not self._over.wait(0.002):
            batch = world.chunks.receive(at_most=10, wait=0) if self.working else ()
            if batch:
                time.sleep(0.003)  # no job ends in the millisecond in which it began
            world.clock.advance(max(0.0, time.time() - world.clock.now()))
            for received in batch:
                job = world.ledger.read(ChunkMessage.decode(received.body).job)
                assert job is not None
                self.site.finish(job)
                world.chunks.delete([received.receipt])

    def close(self) -> None:
        """End the worker and wake whoever waits."""
        self._over.set()
        self.site.watcher.close()

    def _changed(
        self, environ: dict[str, Any], start_response: Any, lie: Callable[[dict[str, Any]], object]
    ) -> list[bytes]:
        told: list[Any] = []

        def start(*args: Any) -> Callable[[bytes], object]:
            told.extend(args)
            return told.append  # WSGI's old way to write, which Flask leaves alone

        data = b"".join(self.site.app(environ, start))
        status, headers = told[0], [pair for pair in told[1] if pair[0] != "Content-Length"]
        value = json.loads(data)
        lie(value)
        data = json.dumps(value).encode()
        start_response(status, [*headers, ("Content-Length", str(len(data)))])
        return [data]


@contextmanager
def serving() -> Iterator[Live]:
    """A live site on a free port of this machine."""
    live = Live()
    server = make_server("127.0.0.1", 0, live, threaded=True, request_handler=Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined] # of socketserver's mix-in
    live.url = f"http://127.0.0.1:{server.server_port}"
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.01,)),
        threading.Thread(target=live.work),
    ]
    with ExitStack() as stack:
        stack.callback(server.server_close)
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(live.close)
        stack.callback(server.shutdown)
        yield live
