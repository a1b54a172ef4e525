"""When things were seen to change, by one's own clock: no clock of another machine is read.  Pure.

What another machine writes says when it was written by a clock that may be wrong.  That it is not
what it was a moment ago is a fact.  So silence is the time since the last change seen.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Changes(Generic[_Key, _Value]):
    """The last value seen of each key, and when it was first seen.

    Args:
        most: keys to remember; beyond that the one looked at least recently is forgotten, and
            counts as new when it is seen again.
    """

    def __init__(self, *, most: int = 1000) -> None:
        self._seen: OrderedDict[_Key, tuple[_Value, float]] = OrderedDict()
        self._most = most

    def since(self, key: _Key, value: _Value, now: float) -> float:
        """Return since when `key` has been seen with this value: `now` if it is new.

        Args:
            key: whose value it is.
            value: as just read.
            now: the time by a monotonic clock, read after the value.
        """
        last, at = self._seen.get(key, (None, now))
        if last != value:
            at = now
        self._seen[key] = value, at
        self._seen.move_to_end(key)
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return at
