"""HTTP servers for the programs of the same machine, out of reach of web pages."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any

from gridwell.access.loopback_request import LoopbackRefusal, host_refusal, page_refusal


class LoopbackHandler(BaseHTTPRequestHandler):
    """Refuses requests of web pages by their heads, before any body is received."""

    @property
    def only_loopback_hosts(self) -> bool:
        """Return whether other hosts' names are refused; not where other machines are served."""
        return True

    def parse_request(self) -> bool:
        """Read the head of a request.

        Returns:
            False if the request has been answered: it is malformed or refused.
        """
        if not super().parse_request():
            return False
        refusal = self.refusal()
        if refusal is None:
            return True
        self.close_connection = True
        self.refuse(refusal)
        return False

    def refusal(self) -> LoopbackRefusal | None:
        """Return the reason to refuse the request; None to serve it."""
        refused = page_refusal(self.headers.keys())
        if refused is None and self.only_loopback_hosts:
            refused = host_refusal(
                target=self.path,
                version=self.request_version,
                hosts=self.headers.get_all("Host", []),
            )
        return refused

    def refuse(self, refusal: LoopbackRefusal) -> None:
        """Answer a refused request."""
        text = f"{refusal.reason}\n".encode()
        self.send_response(refusal.status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Write nothing: clients poll."""
