"""A metadata service that fails for as long as a test wants, then gives a role's credentials."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = {
    "Code": "Success",
    "AccessKeyId": "AKIAIMDS",
    "SecretAccessKey": "secret",
    "Token": "token",
    "Expiration": "2099-01-01T00:00:00Z",
}


class Imds(ThreadingHTTPServer):
    """Serves on loopback.

    `trouble` is how it fails: empty for not at all, "hangs", "closes", or an HTTP status; and
    `failures` for how many more requests it does, where that has an end.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.trouble = ""
        self.failures: int | None = None
        self.requests = 0
        self.released = threading.Event()
        self.answers: dict[str, str] = {"": "a-role", "a-role": json.dumps(ROLE)}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Imds

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        self._answer("a token")

    def do_GET(self) -> None:
        asked = self.path.partition("security-credentials")[2].strip("/")
        self._answer(self.server.answers.get(asked))

    def _answer(self, body: str | None) -> None:
        self.server.requests += 1
        trouble = self.server.trouble
        if self.server.failures is not None:
            self.server.failures -= 1
            trouble = trouble if self.server.failures >= 0 else ""
        if trouble == "hangs":
            self.server.released.wait()
        if trouble in ("hangs", "closes"):
            self.close_connection = True
            return
        status = int(trouble) if trouble else 404 if body is None else 200
        data = (body or "").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def imds(port: int = 0) -> Iterator[Imds]:
    """Serve until the end of the block, on a free port unless one is given."""
    server = Imds(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
