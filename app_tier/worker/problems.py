"""Stored problems, fetched once and kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from gridwell.engine.object_keys import problem_object

if TYPE_CHECKING:
    from gridwell.engine.ports import ObjectStore

_KEPT_BYTES: Final = 64 * 1024 * 1024  #: two of the largest problems


class Problems:
    """The bytes of problems by sha; the compute processes check and decode them."""

    def __init__(self, store: ObjectStore, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._store = store
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, sha: str) -> bytes | None:
        """The stored problem, or None if there is none."""
        data = self._kept.pop(sha, None)
        if data is None:
            data = self._store.get(problem_object(sha))
        if data is None:
            return None
        self._kept[sha] = data
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._kept_bytes:
            self._kept.popitem(last=False)
        return data
