"""Max-min fair shares of a bounded resource.

An owner is a client where its key is known, else an address.  A single owner may have everything.
If there is no room left, the owner that holds the most makes room for one that holds less.  So one
greedy client never blocks another.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LEAD: Final = 2  #: units; with a smaller lead the two owners would only change their roles

T = TypeVar("T")
P = TypeVar("P")


def yielding_owner(held: Mapping[str, int], newcomer: str) -> str | None:
    """Return the owner that makes room for another one, or None if there is none.

    It holds the most, and after the transfer of one unit still as much as the newcomer.  So two
    owners never take the same unit from each other in turn.

    Args:
        held: units of each owner.
        newcomer: the owner that wants one unit more.
    """
    if not held:
        return None
    most = max(held, key=lambda owner: held[owner])
    return most if held[most] >= held.get(newcomer, 0) + _LEAD else None


class FairShares:
    """Units that each owner holds."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self.total = 0

    @property
    def held(self) -> Mapping[str, int]:
        """The units of each owner that holds any."""
        return self._held

    def of(self, owner: str) -> int:
        """Return the units of an owner."""
        return self._held.get(owner, 0)

    def take(self, owner: str) -> None:
        """Count one unit more."""
        self._held[owner] += 1
        self.total += 1

    def give_back(self, owner: str) -> None:
        """Count one unit less."""
        self._held[owner] -= 1
        self.total -= 1
        if not self._held[owner]:
            del self._held[owner]


class FairQueue(Generic[T]):
    """Queue with a line of items for each owner; the lines are served in turn.

    Args:
        most: items of all lines together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """Iterate over the items with their owners, each line from its oldest item on."""
        for owner, line in self._lines.items():
            for item in line:
                yield owner, item

    def put(self, owner: str, item: T) -> T | None:
        """Let an item wait at the end of its owner's line.

        Returns:
            The item that it displaces, the newest of the longest line.  The item itself, where its
            own line is about as long.  None if there was room.
        """
        if self._count >= self._most:
            lengths = {other: len(line) for other, line in self._lines.items()}
            longest = yielding_owner(lengths, owner)
            if longest is None:
                return item
            displaced = self._lines[longest].pop()
            self._shrunk(longest)
        else:
            displaced = None
        self._lines.setdefault(owner, deque()).append(item)
        self._count += 1
        return displaced

    def take(self, admit: Callable[[str], P | None]) -> tuple[T, P] | None:
        """Take the oldest item of the first owner in turn that is admitted, and end its turn.

        Args:
            admit: returns an owner's admission, or None to refuse it.
        """
        for owner in list(self._lines):
            admitted = admit(owner)
            if admitted is not None:
                item = self._lines[owner].popleft()
                self._lines.move_to_end(owner)
                self._shrunk(owner)
                return item, admitted
        return None

    def remove(self, item: T) -> bool:
        """Remove an item; return True if it was in the queue."""
        for owner, line in self._lines.items():
            if item in line:
                line.remove(item)
                self._shrunk(owner)
                return True
        return False

    def remove_while(self, is_over: Callable[[T], bool]) -> list[T]:
        """Remove the oldest items of each line for as long as they are over."""
        removed: list[T] = []
        for owner in list(self._lines):
            line = self._lines[owner]
            while line and is_over(line[0]):
                removed.append(line.popleft())
                self._count -= 1
            if not line:
                del self._lines[owner]
        return removed

    def _shrunk(self, owner: str) -> None:
        self._count -= 1
        if not self._lines[owner]:
            del self._lines[owner]
