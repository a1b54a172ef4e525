"""Files that tasks store beside their results: their keys, and the digests of their blocks.

The bytes of a file are cut into blocks, and a list holds the sha256 of each, one after the other.
The list's own sha256 is the file's digest, which the ledger keeps.  So a reader of a few blocks
verifies those, and needs neither the others nor memory for them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from gridwell.engine.errors import InvalidMessage

BLOCK_BYTES: Final = 1 << 18  #: of a block; the last one may be shorter
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FileType:
    """The type of the files that tasks of a kind store.

    Attributes:
        folder: the first part of their keys.
        suffix: the last part, without its dot.
        content_type: the media type of the object.
    """

    folder: str
    suffix: str
    content_type: str

    def object_key(self, job: str, attempt: str, task: int, digest: str = "") -> str:
        """Return the key of the stored file of a task.

        Args:
            job: the job's id.
            attempt: of the job.
            task: its number.
            digest: of the file, where another one has the task's own key already.
        """
        return f"{self.folder}/{job}/{attempt}/{task}{digest and f'-{digest}'}.{self.suffix}"


DIGESTS_SUFFIX: Final = "sha256"  #: of the list of a file's digests, which lies beside it


def digests_key(file_key: str) -> str:
    """Return the key of the list of digests of the file at a key."""
    return f"{file_key.rpartition('.')[0]}.{DIGESTS_SUFFIX}"


def block_digests(data: bytes) -> bytes:
    """Return the list of the digests of all blocks."""
    view = memoryview(data)
    return b"".join(
        hashlib.sha256(view[start : start + BLOCK_BYTES]).digest()
        for start in range(0, len(data), BLOCK_BYTES)
    )


def digest_of(digests: bytes) -> str:
    """Return the digest of a file, in hex: that of its list."""
    return hashlib.sha256(digests).hexdigest()


def verified(data: bytes, first: int, digests: bytes) -> bytes:
    """Return the bytes of some blocks, unchanged.

    Args:
        data: whole blocks, of which only the file's last may be shorter.
        first: the number of the first of them.
        digests: the file's list.

    Raises:
        InvalidMessage: if one of them is not the block that the list names.
    """
    found = block_digests(data)
    start = first * _DIGEST_BYTES
    if not found or found != digests[start : start + len(found)]:
        raise InvalidMessage("it is not what the worker that computed it reported")
    return data
