"""S3 and memcached in memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gridwell.engine.ports import Clock


class MemoryStore:
    """Keeps the promises of `gridwell.engine.ports.ObjectStore`."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def put_new(self, key: str, data: bytes, *, content_type: str) -> bool:
        """See `gridwell.engine.ports.ObjectStore`."""
        del content_type  # nobody reads it back through the port
        with self._lock:
            if key in self.objects:
                return False
            self.objects[key] = data
            return True

    def get(self, key: str) -> bytes | None:
        """See `gridwell.engine.ports.ObjectStore`."""
        return self.objects.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """See `gridwell.engine.ports.ObjectStore`."""
        data = self.objects.get(key)
        return None if data is None else data[start : start + length]


class MemoryCache:
    """Keeps the promises of `gridwell.engine.ports.Cache`; `clear` is a restart of memcached."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, float]] = {}

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """See `gridwell.engine.ports.Cache`."""
        now = self._clock.now()
        found = ((key, self._values.get(key)) for key in keys)
        return {key: kept[0] for key, kept in found if kept is not None and kept[1] > now}

    def set(self, key: str, value: bytes, *, seconds: int) -> None:
        """See `gridwell.engine.ports.Cache`."""
        self._values[key] = value, self._clock.now() + seconds

    def delete(self, key: str) -> None:
        """See `gridwell.engine.ports.Cache`."""
        self._values.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
