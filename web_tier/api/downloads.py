"""What all downloads share: their pieces and their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.domain.errors import GridwellError
from web_tier.parts import here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flask import Response

FEW_ATOMS: Final = 10_000  #: they fill a megabyte at most: no large download
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


def download(make: Callable[[], Response], *, large: bool) -> Response:
    """The response, which holds a place until its client has it all if it is a large one.

    Raises:
        Overloaded: if there is no place.
    """
    if not large:
        return make()
    place = here().gates.downloads.enter()
    try:
        response = make()
    except BaseException:
        place.leave()
        raise
    response.call_on_close(place.leave)
    return response
