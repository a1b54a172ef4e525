"""Asks the instance metadata service (IMDSv2) what this instance is.

A few lines on a plain socket: an HTTP library would take longer to import than to ask.
"""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

TOKEN_SECONDS = 21600
TIMEOUT_SECONDS = 5.0
PATIENCE_SECONDS = 40.0  #: cloud-init waits too; a machine that is not up in 60 s has failed
PAUSE_SECONDS = 0.5
OK, NOT_FOUND, SERVER_FAULT = 200, 404, 500


class MetadataError(OSError):
    """The metadata service gave no usable answer."""


class Metadata:
    """A session with the metadata service.

    Args:
        endpoint: its address, as `http://127.0.0.1:1234`.
    """

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._address = (parts.hostname or "", parts.port or 80)
        header = f"X-aws-ec2-metadata-token-ttl-seconds: {TOKEN_SECONDS}"
        status, token = self._ask("PUT", "/latest/api/token", header)
        if status != OK:
            raise MetadataError(f"metadata service at {endpoint} gave no token: HTTP {status}")
        self._token = token.decode()

    def get(self, path: str) -> bytes | None:
        """Return the content of `/latest/<path>`, or None if there is none."""
        header = f"X-aws-ec2-metadata-token: {self._token}"
        status, body = self._ask("GET", f"/latest/{path}", header)
        if status not in (OK, NOT_FOUND):
            raise MetadataError(f"metadata service: HTTP {status} for /latest/{path}")
        return body if status == OK else None

    def _ask(self, method: str, path: str, header: str) -> tuple[int, bytes]:
        """Ask until there is an answer that says something of the question."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                status, body = self._ask_once(method, path, header)
            except OSError:
                if time.monotonic() >= until:
                    raise
            else:
                if status < SERVER_FAULT or time.monotonic() >= until:
                    return status, body
            time.sleep(PAUSE_SECONDS)

    def _ask_once(self, method: str, path: str, header: str) -> tuple[int, bytes]:
        request = f"{method} {path} HTTP/1.0\r\nHost: {self._address[0]}\r\n{header}\r\n\r\n"
        with socket.create_connection(self._address, TIMEOUT_SECONDS) as connection:
            connection.sendall(request.encode())
            reply = b"".join(iter(lambda: connection.recv(65536), b""))
        if not reply:
            raise MetadataError(f"metadata service closed the connection at {path}")
        head, _, body = reply.partition(b"\r\n\r\n")
        return int(head.split(maxsplit=2)[1]), body
