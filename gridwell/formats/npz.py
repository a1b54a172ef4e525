"""NPZ: numpy's archive of arrays, written as a stream."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.formats.npy import float64_header
from gridwell.formats.slabs import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from gridwell.domain.grid import Grid

_BYTES: Final = 8  #: of a float64
_PIECE: Final = 1 << 17  #: values per piece of bytes
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  #: no time of day: equal maps give equal files


def npz(grid: Grid, values: Iterable[NDArray[np.float64]]) -> Iterator[bytes]:
    """A map as .npz: `origin` (3), `spacing` (3) and `potential` in the grid's shape, float64.

    Every bit is kept, and nothing is pickled: `np.load(file, allow_pickle=False)` reads it.
    A point without a value is NaN.

    Args:
        grid: the grid.
        values: the potentials in C order, in arrays of any sizes.

    Raises:
        WrongCount: if there are more or fewer values than points.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, vector in (("origin", grid.origin), ("spacing", grid.spacing)):
            with archive.open(_member(name, (3,)), "w") as member:
                member.write(float64_header((3,)) + np.array(vector, dtype="<f8").tobytes())
        with archive.open(_member("potential", grid.shape), "w") as member:
            member.write(float64_header(grid.shape))
            yield sink.taken()
            for piece in pieces(grid, values, _PIECE):
                member.write(np.where(np.isfinite(piece), piece, np.nan).astype("<f8").tobytes())
                yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that cannot go back, and hands over what was written to it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # bytes are all that it is given
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _member(name: str, shape: tuple[int, ...]) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"{name}.npy", _LONG_AGO)
    # Told beforehand, as a member of more than 2 GiB has a header of its own.
    info.file_size = len(float64_header(shape)) + int(np.prod(shape, dtype=np.int64)) * _BYTES
    return info
