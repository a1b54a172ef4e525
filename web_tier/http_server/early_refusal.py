"""Asks the application what it says of a request by its head alone.

Who has no key would else have 64 MiB received, and written to the disk, to hear that.
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
    """The answer to a request that is refused whatever its body is; None: let it come.

    Args:
        application: of WSGI.
        head: the request line and the header fields, without their end.
        conn: where they came from.
        cfg: gunicorn's.

    Raises:
        ParseException: if that is no head of a request.
    """
    request: Any = next(get_parser(cfg, _Head(head + _END), conn.client))
    request._expected_100_continue = False  # noqa: SLF001 - gunicorn would say it at once
    _, environ = create(request, conn.sock, conn.client, conn.server, cfg)
    environ |= {HEAD_ALONE: True, "wsgi.input": io.BytesIO()}
    response = Response.from_app(application, environ, buffered=True)
    return None if is_to_go_on(response) else as_bytes(response)


class _Head:
    """What gunicorn's parser takes for the client's socket."""

    def __init__(self, data: bytes) -> None:
        self._bytes = io.BytesIO(data)

    def recv(self, size: int) -> bytes:
        """The next bytes, or none at the end."""
        return self._bytes.read(size)
