"""Keys of the stored maps of tasks."""

from __future__ import annotations

from typing import Final

from gridwell.engine.task_files import FileType, digests_key

MAP_FILE: Final = FileType(folder="maps", suffix="npy", content_type="application/x-npy")


def map_object(job: str, attempt: str, chunk: int, digest: str = "") -> str:
    """Return the key of the stored map of a chunk.

    Args:
        job: the job's id.
        attempt: of the job.
        chunk: its number.
        digest: of the map, where another one has the chunk's own key already.
    """
    return MAP_FILE.object_key(job, attempt, chunk, digest)


def map_digests_object(job: str, attempt: str, chunk: int, digest: str = "") -> str:
    """Return the key of the digests of a chunk's map; arguments as of `map_object`."""
    return digests_key(map_object(job, attempt, chunk, digest))
