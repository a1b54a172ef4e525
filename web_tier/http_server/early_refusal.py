"""Check of a request by its header fields, before its body is received.

Without it, a request without a key would have 64 MiB received and written to the disk before it is
refused.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from gunicorn.http import get_parser
from gunicorn.http.wsgi import create
from werkzeug.wrappers import Response

from web_tier.auth.head_only import HEAD_ALONE, is_to_go_on
from web_tier.http_server.wire import as_bytes

if TYPE_CHECKING:
    from gunicorn.workers.gthread import TConn

_END: Final = b"\r\n\r\n"


def answer_to_head(application: Any, head: bytes, conn: TConn, cfg: Any) -> bytes | None:
    """Return the response to a request that is refused whatever its body is, else None.

    Args:
        application: of WSGI.
        head: the request line and the header fields, without the empty line.
        conn: the client's connection.
        cfg: gunicorn's.

    Raises:
        ParseException: the bytes are no head of a request.
    """
    request: Any = next(get_parser(cfg, _Head(head + _END), conn.client))
    request._expected_100_continue = False  # noqa: SLF001 - gunicorn would send it at once
    _, environ = create(request, conn.sock, conn.client, conn.server, cfg)
    environ |= {HEAD_ALONE: True, "wsgi.input": io.BytesIO()}
    response = Response.from_app(application, environ, buffered=True)
    return None if is_to_go_on(response) else as_bytes(response)


class _Head:
    """Substitute of the client's socket for gunicorn's parser."""

    def __init__(self, data: bytes) -> None:
        self._bytes = io.BytesIO(data)

    def recv(self, size: int) -> bytes:
        """Return the next bytes, or none at the end."""
        return self._bytes.read(size)
