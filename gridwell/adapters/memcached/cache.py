"""memcached, whose absence costs time but never an answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from gridwell.adapters.memcached.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gridwell.engine.ports import Clock

logger = logging.getLogger(__name__)

VALUE_BYTES: Final = 1_000_000  #: memcached's own limit is 1 MiB with key and header


class MemcachedCache:
    """Keeps the promises of `gridwell.engine.ports.Cache`.  Safe to share between threads.

    Args:
        address: as ``host:port``, or the absolute path of a socket file.
        clock: the machine's own unless a test brings another.

    Raises:
        ValueError: if the address is not of that form.
    """

    def __init__(self, address: str, *, clock: Clock | None = None) -> None:
        self._reach = Connection(address, clock=clock)

    @property
    def outages(self) -> int:
        """How often memcached stopped answering."""
        return self._reach.outages

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """See `gridwell.engine.ports.Cache`."""
        found: dict[str, bytes] | None = self._reach.ask(lambda: self._reach.client.get_many(keys))
        return {} if found is None else found

    def set(self, key: str, value: bytes, *, seconds: int) -> None:
        """See `gridwell.engine.ports.Cache`; a value of more than 1 MB is forgotten at once."""
        if len(value) > VALUE_BYTES:
            logger.warning(
                "the value of %s has %d bytes, more than memcached keeps; readers will miss it",
                key,
                len(value),
                extra={"action": "cache.too_big", "key": key},
            )
            return
        self._reach.ask(lambda: self._reach.client.set(key, value, expire=seconds))

    def delete(self, key: str) -> None:
        """See `gridwell.engine.ports.Cache`."""
        self._reach.ask(lambda: self._reach.client.delete(key))

    def close(self) -> None:
        """Close the connections; they open again at the next call."""
        self._reach.close()
