"""Storing the file of a task with the digests by which readers verify it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridwell.engine.task_files import block_digests, digest_of, digests_key

if TYPE_CHECKING:
    from app_tier.executor.port import OutputFile
    from gridwell.engine.messages import ChunkMessage
    from gridwell.engine.ports import ObjectStore


def store_file(store: ObjectStore, message: ChunkMessage, file: OutputFile) -> str:
    """Store the file of a task, and return its digest.

    Objects are never replaced.  If the task's key has an object already, of another try or planted
    by another worker, the file is stored at a key with its digest.

    Raises:
        OSError: if the file cannot be read.
        ServiceBusy: if the store does not answer; some of it may be stored.
        ServiceDenied: if the store refuses the object.
    """
    data = file.read()
    digests = block_digests(data)
    digest = digest_of(digests)

    def put(name: str) -> bool:
        key = file.type.object_key(message.job, message.attempt, message.chunk, name)
        stored = store.put_new(key, data, content_type=file.type.content_type)
        listed = store.put_new(digests_key(key), digests, content_type="application/octet-stream")
        return stored and listed

    if not put(""):
        put(digest)
    return digest
