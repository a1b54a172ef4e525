"""What a compute process keeps of the problems that it was given, and what its parent knows of it.

Both do the same in the same order, so that a problem is sent again only when it was forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, TypeVar

T = TypeVar("T")

KEPT_PROBLEMS: Final = 2  #: as many as a process may have tasks
#: Of stored problems together: as much as the largest one fills.
KEPT_BYTES: Final = 34_000_000


class SpecCache(Generic[T]):
    """Values by the sha of their problem: the latest, and those before that leave it room."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()

    def __contains__(self, sha: str) -> bool:
        return sha in self._kept

    def take(self, sha: str) -> T:
        """The value of a problem that is kept, which is now the latest."""
        self._kept.move_to_end(sha)
        return self._kept[sha][0]

    def make_room(self, size: int) -> None:
        """Forget the oldest ones that leave no room for another problem of so many bytes."""
        kept = self._kept
        while kept and (
            len(kept) >= KEPT_PROBLEMS or sum(own for _, own in kept.values()) + size > KEPT_BYTES
        ):
            kept.popitem(last=False)

    def put(self, sha: str, value: T, size: int) -> None:
        """Keep the value of a problem of so many bytes as the latest."""
        self.drop(sha)
        self.make_room(size)
        self._kept[sha] = value, size

    def drop(self, sha: str) -> None:
        """Forget a problem."""
        self._kept.pop(sha, None)
