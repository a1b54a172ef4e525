"""Responses as bytes, for connections that end after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from werkzeug.wrappers import Response


def as_bytes(response: Response) -> bytes:
    """Return a whole response, after which the connection ends."""
    response.headers["Connection"] = "close"
    fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
    head = f"HTTP/1.1 {response.status}\r\n{fields}\r\n"
    return head.encode("latin-1") + response.get_data()
