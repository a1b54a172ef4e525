"""The web application on memory doubles behind a real socket, which can be made to misbehave."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.harness.web_http import SMALL, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gridwell.engine.job import Job


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        pass


@dataclass(slots=True, kw_only=True)
class Served:
    """A running service.

    Attributes:
        troubles: answers that the next requests get instead of the application's.
        requests: what came in: method, path and the header Prefer.
        before: called before each request.
    """

    site: Site
    url: str = ""
    troubles: list[Response] = field(default_factory=list)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    before: Callable[[Served], None] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        self.requests.append((request.method, request.full_path, request.headers.get("Prefer")))
        if self.before is not None:
            self.before(self)
        if self.troubles:
            request.get_data()
            return self.troubles.pop(0)(environ, start_response)
        return self.site.app(environ, start_response)

    def done(self, body: dict[str, Any] | None = None) -> Job:
        """A job that was computed."""
        return self.site.done(SMALL if body is None else body)

    def finish(self, job_id: str) -> None:
        """Let workers compute a job."""
        job = self.site.world.ledger.read(job_id)
        assert job is not None
        self.site.finish(job)


@contextmanager
def serving(site: Site | None = None) -> Iterator[Served]:
    """A service on a free port of 127.0.0.1, until the end of the block."""
    served = Served(site=site or Site())
    server = make_server("127.0.0.1", 0, served, threaded=True, request_handler=_Quiet)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        served.site.watcher.close()
