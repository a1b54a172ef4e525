"""Serves moto over HTTP/1.1 with connections that stay open, to callers with the access key.

werkzeug's development server closes each connection, since it does not know whether a request's
body was read to its end.  Here the body is read whole before the application sees it.

A request is judged by its head alone, before its body is received and before any application:
web pages, names of other hosts and callers without the region's access key are refused at every
path, so at AWS's calls, at moto's own `/moto-api` and at `/_gridwell`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

from gridwell.adapters.loopback_http import LoopbackHandler
from gridwell.local_stack.region import access_key as keys
from gridwell.local_stack.region import error_replies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Flask

    from gridwell.access.loopback_request import LoopbackRefusal

logger = logging.getLogger(__name__)
REQUEST_QUEUE = 512
OWN_PATHS: Final = "/_gridwell/"  #: of calls that are no AWS's; see `own_calls`
_SHOWN: Final = 200  #: characters of a refused request
_DRAINED: Final = 1 << 16  #: bytes of a refused body that are received, so that its answer is read
_DRAIN_SECONDS: Final = 1.0
_LOG_SECONDS: Final = 1.0  #: between two lines about refusals: strangers must not fill the disk
_SERVICE: Final = re.compile(r"=[^/,\s]+/\d+/[^/]+/([^/]+)/aws4_request")
_CODES: Final = {
    keys.NAMELESS: "MissingAuthenticationToken",
    keys.UNKNOWN: "InvalidClientTokenId",
}


class Unanswered(Exception):  # noqa: N818 - what shall happen, more than an error
    """Raised by an application whose caller shall get no answer: the connection just closes."""


@dataclass(frozen=True, slots=True)
class _Asked:
    service: str
    target: str


class _Handler(LoopbackHandler, MotoRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # A reply is one small write: waiting for more would add 40 ms to each.
    disable_nagle_algorithm = True

    def log_request(self, *_: Any, **__: Any) -> None:
        """Nothing: clients poll."""

    def handle_expect_100(self) -> bool:
        """Invite no body yet: the request may be refused by its head."""
        return True

    def refusal(self) -> LoopbackRefusal | None:
        """Return the reason to refuse the request; None to serve it."""
        return super().refusal() or keys.key_refusal(
            self.server.access_key,
            authorization=self.headers.get("Authorization", ""),
            query=self.path.partition("?")[2],
        )

    def refuse(self, refusal: LoopbackRefusal) -> None:
        """Answer a refused request in the form that its service's clients read."""
        self.server.log_refusal(f"{self.command} {self._path}", refusal)
        if self._path.startswith(OWN_PATHS):
            content = json.dumps({"error": refusal.reason}).encode()
            headers = [("Content-Type", "application/json")]
        else:
            named = _SERVICE.search(self.headers.get("Authorization", ""))
            asked = _Asked(named[1] if named else "", self.headers.get("X-Amz-Target", ""))
            code = _CODES.get(refusal, "AccessDenied")
            reply = error_replies.denied(asked, refusal.status, code, refusal.reason)
            content, headers = reply.content, reply.headers
        status = HTTPStatus(refusal.status)
        self._write(f"{status} {status.phrase}", [*headers, ("Connection", "close")], content)
        self._drain()

    @property
    def _path(self) -> str:
        """The path without the query, which has the key of a presigned address."""
        return self.path.partition("?")[0]

    def _drain(self) -> None:
        """Receive what a small body has: a connection closed over it would lose the answer."""
        length = self.headers.get("Content-Length", "")
        if length.isdecimal() and "Expect" not in self.headers:
            self.connection.settimeout(_DRAIN_SECONDS)
            with contextlib.suppress(OSError):  # the caller has gone, or is slow
                self.rfile.read(min(int(length), _DRAINED))

    def run_wsgi(self) -> None:
        """Read the request, run the application, write the reply, keep the connection."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
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
                "moto failed at %s %s", self.command, self._path, extra={"action": "moto.failed"}
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

    def __init__(self, port: int, application: Any, access_key: str) -> None:
        super().__init__("127.0.0.1", port, application, handler=_Handler)
        self.access_key = access_key
        self._log_at = 0.0

    def log_refusal(self, request: str, refusal: LoopbackRefusal) -> None:
        """Log a refused request, at most one a second."""
        now = time.monotonic()
        if now >= self._log_at:
            self._log_at = now + _LOG_SECONDS
            logger.warning(
                "refused %s: %s",
                ascii(request[:_SHOWN]),
                ascii(refusal.reason),
                extra={"action": "region.refused", "status": refusal.status},
            )

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - its name
        """Clients may go at any moment, which is no error of ours."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            logger.error("a connection failed", exc_info=error, extra={"action": "http.failed"})


def make_server(port: int, *, access_key: str) -> Any:
    """Return a server of all of moto on 127.0.0.1, bound but not yet serving.

    Args:
        port: 0 for a free one; the server's `server_port` says which.
        access_key: the id of the access key that each call must name.
    """
    application = DomainDispatcherApplication(_backend)
    return _Server(port, application, access_key)


def _backend(service: Any) -> Flask:
    """Return moto's application of a service, with its debug mode off."""
    application = create_backend_app(service)
    application.debug = False
    application.config["PROPAGATE_EXCEPTIONS"] = True  # to `_call`, which logs them
    return application
