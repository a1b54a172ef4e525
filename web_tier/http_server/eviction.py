"""Which received bytes are given up when there is no room for more.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

GOOD_RATE: Final = 4 * 1024 * 1024  #: bytes a second; an upload as fast as this is in no one's way
PAUSE_SECONDS: Final = 1.0  #: between two pieces of an upload that is under way
FILE_BYTES: Final = 64 * 1024  #: giving up less than this makes no room

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBytes:
    """A request that takes room."""

    owner: str  #: a client or an address
    size: int  #: bytes received
    seconds: float = 0.0  #: for which they have been coming; 0 for one that is whole
    idle: float = 0.0  #: seconds since the last of them

    @property
    def waste(self) -> float:
        """Byte seconds for which it has held room longer than a good upload would have.

        An upload that was fast and then stands still wastes room at once; one that sends a byte now
        and then does so as soon as it is slower than a good one on the whole.
        """
        late = self.seconds - self.size / GOOD_RATE
        return self.size * max(0.0, late, self.idle - PAUSE_SECONDS)


def first_to_go(candidates: Mapping[K, HeldBytes], totals: Mapping[str, int]) -> K | None:
    """Return the request to give up first, or None if there is none.

    It is one of the owner that holds the most, so whatever an owner sends, and however many
    connections it has, another owner keeps an equal share.  Of that owner it is the request that
    has wasted the most room; where none has wasted any, the one of which the least is lost.

    Args:
        candidates: the requests that may be given up.
        totals: the bytes that each owner holds, those that may not be given up included.
    """
    if not candidates:
        return None
    owners = {held.owner for held in candidates.values()}
    most = max(owners, key=lambda owner: (totals.get(owner, 0), owner))
    own = {key: held for key, held in candidates.items() if held.owner == most}
    return max(own, key=lambda key: (own[key].size > FILE_BYTES, own[key].waste, -own[key].size))
