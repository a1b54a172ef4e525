"""A check of a worker's machine: a disk that takes files, free space on it, and memory."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MIB: Final = 1 << 20
_WRITTEN: Final = _MIB  #: bytes that are written and read back
_MEMORY: Final = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCheck:
    """A check that returns what is wrong with the machine, or empty text.

    Args:
        folder: in which specs and files are handed over.
        free_bytes: that its disk must have.
        memory_bytes: that must be available, by the kernel's estimate.
    """

    folder: Path
    free_bytes: int
    memory_bytes: int

    def __call__(self) -> str:
        """Return the first thing that is wrong; empty: nothing."""
        try:
            return self._limit() or self._disk() or self._memory()
        except OSError as error:
            return f"{self.folder} cannot be written and read: {error}"

    def _limit(self) -> str:
        """Return an error if files may not be as large as they must."""
        most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if most == resource.RLIM_INFINITY or most >= self.free_bytes:
            return ""
        return f"files are limited to {most} bytes (RLIMIT_FSIZE), {self.free_bytes} are needed"

    def _disk(self) -> str:
        written = os.urandom(_WRITTEN)
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix="self-test-") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
            if Path(file.name).read_bytes() != written:
                return f"a file in {self.folder} reads back otherwise than it was written"
        free = shutil.disk_usage(self.folder).free
        if free < self.free_bytes:
            return f"{free // _MIB} MiB are free in {self.folder}, {self.free_bytes // _MIB} needed"
        return ""

    def _memory(self) -> str:
        available = available_memory()
        if available is None or available >= self.memory_bytes:
            return ""
        return (
            f"{available // _MIB} MiB of memory are available, {self.memory_bytes // _MIB} needed"
        )


def available_memory() -> int | None:
    """Return the bytes of memory that the kernel says are available; None: it does not say."""
    if not _MEMORY.exists():
        return None
    for line in _MEMORY.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None
