"""The web tier's secret, and the message authentication codes (MACs) made with it.  Pure.

One secret serves several purposes, each by a key of its own that is derived from it: a MAC made
for one purpose verifies for no other.
"""

from __future__ import annotations

import hmac
from typing import Final

SECRET_BYTES: Final = 32
_HASH: Final = "sha256"
_LENGTH_BYTES: Final = 8  #: of the length that stands before each part


class Keys:
    """Makes and verifies HMAC-SHA256 codes with keys derived from one secret.

    Args:
        secret: `SECRET_BYTES` random bytes.

    Raises:
        ValueError: if the secret is shorter than that.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES:
            raise ValueError(f"a secret of {len(secret)} bytes is too short; use {SECRET_BYTES}")
        self._secret = secret
        self._derived: dict[str, bytes] = {}

    def mac(self, purpose: str, *parts: str | bytes) -> bytes:
        """Return the 32-byte code of some data.

        Args:
            purpose: names the derived key.
            parts: the data; where one part ends and the next begins is authenticated too.
        """
        key = self._derived.get(purpose)
        if key is None:
            key = hmac.digest(self._secret, f"gridwell {purpose}".encode(), _HASH)
            self._derived[purpose] = key
        return hmac.digest(key, b"".join(map(_framed, parts)), _HASH)

    def verifies(self, code: bytes, purpose: str, *parts: str | bytes) -> bool:
        """Return whether a code is that of some data, in constant time."""
        return hmac.compare_digest(code, self.mac(purpose, *parts))


def _framed(part: str | bytes) -> bytes:
    data = part.encode() if isinstance(part, str) else part
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data
