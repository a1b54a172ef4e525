"""HTTP server of the metrics of a program that has no other web server."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gridwell.access.addresses import is_loopback
from gridwell.adapters.loopback_http import LoopbackHandler

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class MetricsServer(ThreadingHTTPServer):
    """Server of one registry for Prometheus, which refuses web pages.

    On a loopback address it serves requests for this machine's names alone, on any other address
    requests for any name.

    Args:
        host: the address to listen on.
        port: 0 for a free one.
        registry: of the counters.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host.strip("[]"), port), _Handler)
        self.registry = registry
        self.only_loopback_hosts = is_loopback(host)

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()


class _Handler(LoopbackHandler, BaseHTTPRequestHandler):
    server: MetricsServer

    @property
    def only_loopback_hosts(self) -> bool:
        return self.server.only_loopback_hosts

    def do_GET(self) -> None:
        content = generate_latest(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
