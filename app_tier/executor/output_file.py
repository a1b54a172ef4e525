"""The file of a task on its way from the compute process to the worker.

Files fill tens of megabytes.  A pipe would carry them pickled and in pieces; a file is written and
read once, and a process that dies leaves nothing in the memory of the other.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from gridwell.engine.task_files import FileType


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Implementation of `app_tier.executor.port.OutputFile` on the worker's disk."""

    path: Path
    type: FileType

    def read(self) -> bytes:
        """Return its content."""
        return self.path.read_bytes()

    def remove(self) -> None:
        """Remove it; once it is gone this does nothing."""
        remove(self.path)


def remove(path: Path) -> None:
    """Remove a file; one that a broken disk keeps goes with its folder, or stays."""
    with contextlib.suppress(OSError):
        path.unlink()
