"""The way of a chunk's map from its compute process to the worker: a file.

A map fills tens of megabytes, which a pipe would carry pickled and in pieces; a file is written
and read once, and whoever of the two dies leaves nothing in the other's memory.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gridwell.kinds.grid.formats.atoms.npy import float64_header

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MapFile:
    """Keeps the promises of `app_tier.executor.port.ChunkMap` with a file."""

    path: Path

    def write(self, values: NDArray[np.float64]) -> None:
        """Write a map, as the compute process does."""
        with self.path.open("wb") as file:
            file.write(float64_header(values.shape))
            np.ascontiguousarray(values, "<f8").tofile(file)

    def read(self) -> bytes:
        """See `app_tier.executor.port.ChunkMap`."""
        return self.path.read_bytes()

    def remove(self) -> None:
        """See `app_tier.executor.port.ChunkMap`."""
        remove(self.path)


def remove(path: Path) -> None:
    """Remove a file; one that a broken disk does not let go of goes with its folder, or stays."""
    with contextlib.suppress(OSError):
        path.unlink()
