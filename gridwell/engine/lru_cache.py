"""A cache that evicts its least recently used entries."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Values by key, bounded by number and by weight.  Threads that share one need a lock.

    The latest value stays in any case, also one that is heavier than all may be together.

    Args:
        most: the largest number of entries.
        weight: the largest sum of their weights; None: unbounded.
    """

    def __init__(self, most: int, *, weight: int | None = None) -> None:
        if most < 1:
            raise ValueError(f"a cache of {most} entries keeps nothing; give it at least 1")
        self._most = most
        self._allowed = weight
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[K]:
        """Iterate over the keys, the least recently used first."""
        return iter(list(self._entries))

    def get(self, key: K) -> V | None:
        """Return a value, or None if there is none, and count it as used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def peek(self, key: K) -> V | None:
        """Return a value, or None if there is none, and do not count it as used."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def put(self, key: K, value: V, weight: int = 0) -> list[K]:
        """Store a value as the latest, and return the keys that it evicted."""
        self.drop(key)
        evicted = self.make_room(weight)
        self._entries[key] = value, weight
        self._weight += weight
        return evicted

    def make_room(self, weight: int = 0) -> list[K]:
        """Evict what another value of this weight would evict, and return the keys."""
        evicted = []
        while self._entries and self._is_full(weight):
            key, (_, freed) = self._entries.popitem(last=False)
            self._weight -= freed
            evicted.append(key)
        return evicted

    def drop(self, key: K) -> None:
        """Remove a value if there is one."""
        _, weight = self._entries.pop(key, (None, 0))
        self._weight -= weight

    def _is_full(self, weight: int) -> bool:
        too_heavy = self._allowed is not None and self._weight + weight > self._allowed
        return len(self._entries) >= self._most or too_heavy
