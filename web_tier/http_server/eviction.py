"""Choice of the received bytes to evict when there is no room for more."""

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
    """Room that a request takes."""

    owner: str  #: a client or an address
    size: int  #: bytes received
    seconds: float = 0.0  #: for which they have been coming; 0 for one that is whole
    idle: float = 0.0  #: seconds since the last of them

    @property
    def waste(self) -> float:
        """Byte seconds for which it has held room longer than a good upload would have.

        An upload that was fast and then pauses wastes room at once.  One that sends a byte now and
        then wastes room once its mean rate is below a good one.
        """
        late = self.seconds - self.size / GOOD_RATE
        return self.size * max(0.0, late, self.idle - PAUSE_SECONDS)


def first_to_go(candidates: Mapping[K, HeldBytes], totals: Mapping[str, int]) -> K | None:
    """Return the request to evict first, or None if there is none.

    It belongs to the owner that holds the most, so that each other owner keeps an equal share.  Of
    that owner it is the request that has wasted the most room.  If none has wasted any, it is the
    one of which the least is lost.

    Args:
        candidates: the requests that may be evicted.
        totals: all bytes of each owner, including requests that may not be evicted.
    """
    if not candidates:
        return None
    owners = {held.owner for held in candidates.values()}
    most = max(owners, key=lambda owner: (totals.get(owner, 0), owner))
    own = {key: held for key, held in candidates.items() if held.owner == most}
    return max(own, key=lambda key: (own[key].size > FILE_BYTES, own[key].waste, -own[key].size))
