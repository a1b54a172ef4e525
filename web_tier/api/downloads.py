"""Downloads: their pieces, and the limit on how many run at a time."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from flask import request

from gridwell.engine.errors import GridwellError
from web_tier.auth.guard import charge
from web_tier.auth.owners import owner
from web_tier.dependencies import current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flask import Response

    from web_tier.overload.concurrency_limit import Permit

_READ: Final = 10_000  #: rows of a file that cost about as much as another read
_MOST_READS: Final = 100  #: so that the largest file stays within any limit
_PIECE: Final = 256 * 1024  #: bytes that a client must take within the time for a piece


def in_pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, in pieces that each client can take within the time for one."""
    for part in parts:
        for at in range(0, len(part), _PIECE):
            yield part[at : at + _PIECE]


def exactly(parts: Iterable[bytes], length: int) -> Iterator[bytes]:
    """The same bytes, if they are as many as was promised.

    Raises:
        GridwellError: as soon as they are more, or at the end if they are fewer: the connection
            then breaks, where a server would cut the file, and let it look whole.
    """
    sent = 0
    for part in parts:
        sent += len(part)
        if sent > length:
            break
        yield part
    if sent != length:
        raise GridwellError(f"{sent} bytes or more were written where {length} were promised")


def download(make: Callable[[], Response], *, large: bool, size: int = 0) -> Response:
    """Return the response, which holds a place until its client has it all.

    Args:
        make: makes the response.
        large: whether it is a large one, of which there are few places.
        size: how many rows are written; it counts as a read for each `_READ`.

    Raises:
        Refused: if the client has had its reads.
        Overloaded: if there is no place.
    """
    charge(current().access, min(_MOST_READS - 1, size // _READ))
    gates = current().gates
    gate = gates.downloads if large else gates.files
    if gate is None:
        return make()
    place = gate.enter(owner())
    _let_go_of(place)
    try:
        response = make()
    except BaseException:
        place.leave()
        raise
    response.call_on_close(place.leave)
    return response


def _let_go_of(place: Permit) -> None:
    """Break the download off when its place goes to another owner: no file may look whole then."""
    link: socket.socket | None = request.environ.get("gunicorn.socket")
    if link is not None:
        place.on_displaced = partial(_shut, link)


def _shut(link: socket.socket) -> None:
    with contextlib.suppress(OSError):  # its client has gone
        link.shutdown(socket.SHUT_RDWR)
