"""What all downloads share: their pieces, their places, and who may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
