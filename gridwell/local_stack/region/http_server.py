"""Serves moto over HTTP/1.1 with connections that stay open.

werkzeug's development server closes each connection, since it does not know whether a request's
body was read to its end.  Here the body is read whole before the application sees it.
"""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)
REQUEST_QUEUE = 512


class Unanswered(Exception):  # noqa: N818 - what shall happen, more than an error
    """Raised by an application whose caller shall get no answer: the connection just closes."""


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    # A reply is one small write: waiting for more would add 40 ms to each.
    disable_nagle_algorithm = True

    def log_request(self, *_: Any, **__: Any) -> None:
        """Nothing: clients poll."""

    def handle_expect_100(self) -> bool:
        """Invite the body at once; nothing here refuses by headers alone."""
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def run_wsgi(self) -> None:
        """Read the request, run the application, write the reply, keep the connection."""
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        environ: dict[str, Any] = self.make_environ()
        if chunked:
            body = environ["wsgi.input"].read()  # werkzeug's reader of chunks
            environ.pop("HTTP_TRANSFER_ENCODING", None)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        environ["wsgi.input_terminated"] = True
        try:
            status, headers, reply = self._call(environ)
        except Unanswered:
            self.close_connection = True
            return
        self._write(status, headers, reply)

    def _call(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _: Any = None
        ) -> Callable[[bytes], None]:
            started.append((status, headers))
            return lambda _: None

        try:
            pieces: Iterable[bytes] = self.server.app(environ, start_response)
            reply = b"".join(pieces)
            if hasattr(pieces, "close"):
                pieces.close()
        except Unanswered:
            raise
        except Exception:
            logger.exception(
                "moto failed at %s %s", self.command, self.path, extra={"action": "moto.failed"}
            )
            return "500 Internal Server Error", [], b"moto failed; see the cloud's log"
        return (*started[-1], reply)

    def _write(self, status: str, headers: list[tuple[str, str]], reply: bytes) -> None:
        code, _, reason = status.partition(" ")
        names = {name.lower() for name, _ in headers}
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        bodiless = self.command == "HEAD" or code in ("204", "304")
        if "content-length" not in names and not (self.command == "HEAD" or code == "204"):
            self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        if not bodiless:
            self.wfile.write(reply)
        self.wfile.flush()


class _Server(ThreadedWSGIServer):
    daemon_threads = True  # a long poll must not outlive the process
    request_queue_size = REQUEST_QUEUE

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - its name
        """Clients may go at any moment, which is no error of ours."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            logger.error("a connection failed", exc_info=error, extra={"action": "http.failed"})


def make_server(port: int) -> Any:
    """A server of all of moto on 127.0.0.1, bound but not yet serving.

    Args:
        port: 0 for a free one; the server's `server_port` says which.
    """
    application = DomainDispatcherApplication(create_backend_app)
    return _Server("127.0.0.1", port, application, handler=_Handler)
