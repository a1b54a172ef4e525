"""Framing of a request by its bytes alone, without socket or clock.

It decides only *when* a request is served.  gunicorn's parser reads the same bytes again and alone
interprets them.  So a mistake in this module could cost time, but two readers never see two
different requests.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gridwell.engine.limits import MAX_BODY_BYTES
from web_tier.request_limits import FramingError, too_large

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES: Final = 32 * 1024  #: of a request line with all its header fields
LINE_BYTES: Final = 8 * 1024  #: of a request line: method, path and query
_CHUNK_LINE_BYTES: Final = 256  #: of a size in a body that comes in pieces
#: Bytes that a body in pieces may have besides their content; each piece costs time.
_OVERHEAD_BYTES: Final = 64 * 1024
_OVERHEAD_SHARE: Final = 16  #: and a sixteenth of the pieces' size
_END: Final = b"\r\n\r\n"
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{1,8}\s*(?:;.*)?", re.DOTALL)
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")


LINE_TOO_LONG: Final = FramingError(
    414, "uri_too_long", f"the request line has more than {LINE_BYTES} bytes; shorten the query"
)
HEAD_TOO_LARGE: Final = FramingError(
    431, "headers_too_large", f"the header fields have more than {HEAD_BYTES} bytes; send fewer"
)
PIECES_TOO_SMALL: Final = FramingError(
    400,
    "pieces_too_small",
    "the body comes in too many pieces of a few bytes; send larger ones, or give Content-Length",
)


def _usual_limit(_: bytes) -> int | None:
    return MAX_BODY_BYTES


class Framing:
    """Incremental parser of one request's framing.

    Args:
        limit_of: from a request line to the most bytes of the body; None if no route takes it.
    """

    def __init__(self, limit_of: Callable[[bytes], int | None] = _usual_limit) -> None:
        self._limit_of = limit_of
        self.limit = 0  #: bytes of the body, where there is one
        self.routed = True  #: some route takes the request, or it has no body
        self.head = bytearray()  #: the request line and the header fields, once whole without end
        self.in_body = False  #: the head is whole
        self.whole = False  #: nothing more is needed to serve it
        self.certain = True  #: its end is clear; if not, the connection ends with it
        self.refusal: FramingError | None = None
        self.fields: list[tuple[bytes, bytes]] = []  #: of the header, names in lower case
        self.continues = False  #: the client waits for `100 Continue` before it sends the body
        self._left = 0
        self._chunks: _Chunks | None = None
        self._body = 0

    @property
    def in_pieces(self) -> bool:
        """True if the body comes in pieces, so that its size was not known before."""
        return self._chunks is not None

    @property
    def announced(self) -> int:
        """The bytes of the body, where its size was known before."""
        return self._left

    def take(self, data: bytes) -> None:
        """Parse the next bytes; bytes after the request's end are ignored."""
        if self.whole or self.refusal is not None:
            return
        if self.in_body:
            self._take_body(data)
            return
        searched = max(0, len(self.head) - len(_END) + 1)
        self.head += data
        end = self.head.find(_END, searched)
        # Whatever was received at once: the limits hold for the head, not for the read.
        line = self.head.find(b"\r\n", 0, LINE_BYTES + 2)
        if line < 0 and len(self.head) > LINE_BYTES:
            self.refusal = LINE_TOO_LONG
        elif end > HEAD_BYTES or (end < 0 and len(self.head) > HEAD_BYTES):
            self.refusal = HEAD_TOO_LARGE
        elif end >= 0:
            rest = bytes(self.head[end + len(_END) :])
            del self.head[end:]
            self.in_body = True
            self._read_head()
            if not self.whole and self.refusal is None:
                self._take_body(rest)

    def _read_head(self) -> None:
        fields = [line.partition(b":") for line in bytes(self.head).split(b"\r\n")[1:]]
        self.fields = named = [(name.lower(), value.strip()) for name, _, value in fields]
        lengths = [value for name, value in named if name == b"content-length"]
        codings = [value.lower() for name, value in named if name == b"transfer-encoding"]
        if any(name != name.strip() for name, _ in named):
            self._doubt()
        elif not lengths and not codings:
            self.whole = True
        elif not _is_clear(lengths, codings):
            self._doubt()
        elif codings:
            self._chunks = _Chunks()
        else:
            self._left = int(lengths[0])
            self.whole = not self._left
        self.continues = (b"expect", b"100-continue") in [(n, v.lower()) for n, v in named]
        if self._chunks is not None or self._left:
            self._limit_body()

    def _limit_body(self) -> None:
        """Refuse a body that is larger than its route takes, before any of it is stored."""
        limit = self._limit_of(bytes(self.head.partition(b"\r\n")[0]))
        self.routed, self.limit = limit is not None, limit or 0
        if self._left > self.limit or not self.limit:
            self.refusal = too_large(self.limit)

    def _doubt(self) -> None:
        """Read no further, as the end of the body is not clear; the parser refuses the request."""
        self.whole, self.certain = True, False

    def _take_body(self, data: bytes) -> None:
        self._body += len(data)
        if self._chunks is None:
            self.whole = self._body >= self._left
            return
        self._chunks.take(data)
        if self._chunks.broken:
            self._doubt()
        elif self._chunks.size > self.limit:
            self.refusal = too_large(self.limit)
        elif self._body > self._chunks.size * (1 + 1 / _OVERHEAD_SHARE) + _OVERHEAD_BYTES:
            self.refusal = PIECES_TOO_SMALL
        else:
            self.whole = self._chunks.ended


def _is_clear(lengths: list[bytes], codings: list[bytes]) -> bool:
    """Return True if the header fields define the end of the body in exactly one way."""
    if codings:
        return codings == [b"chunked"] and not lengths
    return len(lengths) == 1 and _DIGITS.fullmatch(lengths[0]) is not None


class _Chunks:
    """Incremental parser of a body in pieces (RFC 9112, section 7.1)."""

    def __init__(self) -> None:
        self.size = 0  #: bytes of the pieces so far, announced ones included
        self.ended = False
        self.broken = False
        self._skip = 0  #: bytes of a piece, with its line end, that are still to come
        self._line = bytearray()
        self._trailing = False

    def take(self, data: bytes) -> None:
        """Parse the next bytes."""
        at = 0
        while at < len(data) and not (self.ended or self.broken):
            skipped = min(self._skip, len(data) - at)
            self._skip -= skipped
            at += skipped
            if at < len(data):
                at = self._take_line(data, at)

    def _take_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        self._line += data[at:stop]
        limit = HEAD_BYTES if self._trailing else _CHUNK_LINE_BYTES
        if len(self._line) > limit:
            self.broken = True
        elif end >= 0:
            line = bytes(self._line).rstrip(b"\r\n")
            self._line.clear()
            self._end_line(line)
        return stop

    def _end_line(self, line: bytes) -> None:
        if self._trailing:
            self.ended = not line
            return
        if not _HEX.fullmatch(line):
            self.broken = True
            return
        size = int(line.partition(b";")[0], 16)
        self.size += size
        self._skip = size + 2 if size else 0
        self._trailing = not size
