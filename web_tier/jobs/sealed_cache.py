"""The cache as the web tier uses it: its keys carry the stack's name, its values are authenticated.

memcached asks nobody for a password, and several stacks may share one.  A value is believed only
under the key for which a process with this stack's secret wrote it; any other is a miss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.engine.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gridwell.engine.ports import Cache
    from web_tier.jobs.signer import Signer

CODE_BYTES: Final = 32  #: of the code that stands before each value
_VERIFIED: Final = (
    1024  #: values remembered as verified, as a watcher reads the same again and again
)


class SealedCache:
    """Keeps the promises of `gridwell.engine.ports.Cache`.  Safe to share between threads.

    While the secret cannot be read, reads miss and writes are forgotten.

    Args:
        cache: where the values are.
        signer: makes and verifies their codes.
        forged: takes the key of each value that does not verify.
    """

    def __init__(
        self, cache: Cache, signer: Signer, *, forged: Callable[[str], None] = lambda _: None
    ) -> None:
        self._cache = cache
        self._signer = signer
        self._forged = forged
        self._verified: dict[str, bytes] = {}

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """See `gridwell.engine.ports.Cache`; values that do not verify are left out."""
        try:
            names = {self._signer.cache_key(key): key for key in keys}
        except ServiceError:
            return {}
        found: dict[str, bytes] = {}
        for name, value in self._cache.get_many(list(names)).items():
            if self._is_ours(name, value):
                found[names[name]] = value[CODE_BYTES:]
            else:
                self._forged(name)
        return found

    def set(self, key: str, value: bytes, *, seconds: int) -> None:
        """See `gridwell.engine.ports.Cache`."""
        try:
            name = self._signer.cache_key(key)
        except ServiceError:
            return
        code = self._signer.cache_code(name, value)
        self._cache.set(name, code + value, seconds=seconds)

    def delete(self, key: str) -> None:
        """See `gridwell.engine.ports.Cache`."""
        try:
            name = self._signer.cache_key(key)
        except ServiceError:
            return
        self._cache.delete(name)

    def _is_ours(self, name: str, value: bytes) -> bool:
        if self._verified.get(name) == value:
            return True
        code, data = value[:CODE_BYTES], value[CODE_BYTES:]
        if not self._signer.is_cache_code(code, name, data):
            return False
        if len(self._verified) >= _VERIFIED:
            self._verified.clear()
        self._verified[name] = value
        return True


def sealed(cache: Cache, signer: Signer) -> SealedCache:
    """Return a cache that is sealed; one that is so already stays as it is."""
    return cache if isinstance(cache, SealedCache) else SealedCache(cache, signer)
