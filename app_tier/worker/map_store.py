"""Storing a chunk's map with the digests by which readers verify it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.engine.object_keys import map_digests_object, map_object
from gridwell.kinds.grid.map_digests import block_digests, digest_of

if TYPE_CHECKING:
    from gridwell.engine.messages import ChunkMessage
    from gridwell.engine.ports import ObjectStore


def store_map(store: ObjectStore, message: ChunkMessage, data: bytes) -> str:
    """Store the map of a chunk, and return its digest.

    Objects are never replaced.  Where one lies at the chunk's key already, of another try or
    planted by another worker, this one is stored at a key that its digest names.
    """
    digests = block_digests(data)
    digest = digest_of(digests)
    whose = message.job, message.attempt, message.chunk

    def put(name: str) -> bool:
        stored = store.put_new(map_object(*whose, name), data, content_type="application/x-npy")
        listed = store.put_new(
            map_digests_object(*whose, name), digests, content_type="application/octet-stream"
        )
        return stored and listed

    if not put(""):
        put(digest)
    return digest
