"""Digests by which each part of a stored chunk of a map is verified as it is read.  Pure.

The bytes are cut into blocks, and a list holds the sha256 of each, one after the other.  The
list's own sha256 is the chunk's digest, which the ledger keeps: so a reader of a few blocks
verifies those, and needs neither the others nor memory for them.
"""

from __future__ import annotations

import hashlib
from typing import Final

from gridwell.engine.errors import InvalidMessage

BLOCK_BYTES: Final = 1 << 18  #: of a block; the last one may be shorter
_DIGEST_BYTES: Final = 32


def block_digests(data: bytes) -> bytes:
    """Return the list of the digests of all blocks."""
    view = memoryview(data)
    return b"".join(
        hashlib.sha256(view[start : start + BLOCK_BYTES]).digest()
        for start in range(0, len(data), BLOCK_BYTES)
    )


def digest_of(digests: bytes) -> str:
    """Return the digest of a chunk, in hex: that of its list."""
    return hashlib.sha256(digests).hexdigest()


def verified(data: bytes, first: int, digests: bytes) -> bytes:
    """Return the bytes of some blocks, unchanged.

    Args:
        data: whole blocks, of which only the chunk's last may be shorter.
        first: the number of the first of them.
        digests: the chunk's list.

    Raises:
        InvalidMessage: if one of them is not the block that the list names.
    """
    found = block_digests(data)
    start = first * _DIGEST_BYTES
    if not found or found != digests[start : start + len(found)]:
        raise InvalidMessage("it is not what the worker that computed it reported")
    return data
