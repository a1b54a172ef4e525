"""NPZ: numpy's archive of arrays, written as a stream."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.kinds.grid.formats.atoms.npy import float64_header
from gridwell.kinds.grid.formats.maps.value_blocks import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from gridwell.kinds.grid.grid import Grid

_BYTES: Final = 8  #: of a float64
_PIECE: Final = 1 << 17  #: values per piece of bytes
#: Bytes of a zip archive's parts, and what they have more where a number needs eight bytes.
_LOCAL: Final = 30
_WIDE_EXTRA: Final = 20
_DESCRIPTOR: Final = 16
_WIDE_DESCRIPTOR: Final = 24
_CENTRAL: Final = 46
_EXTRA: Final = 4
_END: Final = 22
_WIDE_END: Final = 56 + 20
_GROWTH: Final = 1.05  #: zipfile's
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  #: no time of day: equal maps give equal files


def npz(grid: Grid, values: Iterable[NDArray[np.float64]]) -> Iterator[bytes]:
    """Yield a map as .npz: `origin` (3), `spacing` (3), `potential` in the grid's shape; float64.

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
        origin, spacing, potential = _members(grid)
        for info, vector in ((origin, grid.origin), (spacing, grid.spacing)):
            with archive.open(info, "w") as member:
                member.write(float64_header((3,)) + np.array(vector, dtype="<f8").tobytes())
        with archive.open(potential, "w") as member:
            member.write(float64_header(grid.shape))
            yield sink.taken()
            for piece in pieces(grid, values, _PIECE):
                member.write(np.where(np.isfinite(piece), piece, np.nan).astype("<f8").tobytes())
                yield sink.taken()
    yield sink.taken()


def npz_length(grid: Grid) -> int:
    """Bytes of the file that `npz` writes: they do not depend on the values.

    Laid out as PKWARE's APPNOTE 4.3 says, by the rules of Python's zipfile for what is large.
    """
    length, directory = 0, 0
    for info in _members(grid):
        large, offset = info.file_size > zipfile.ZIP64_LIMIT, length
        # Told larger than it is, as what is compressed may grow.
        wide = info.file_size * _GROWTH > zipfile.ZIP64_LIMIT
        name = len(info.filename)
        length += _LOCAL + name + (_WIDE_EXTRA if wide else 0)
        length += info.file_size + (_WIDE_DESCRIPTOR if wide else _DESCRIPTOR)
        wides = (2 if large else 0) + (offset > zipfile.ZIP64_LIMIT)
        directory += _CENTRAL + name + (_EXTRA + _BYTES * wides if wides else 0)
    end = _END + (_WIDE_END if max(length, directory) > zipfile.ZIP64_LIMIT else 0)
    return length + directory + end


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
        """Return the bytes written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _members(grid: Grid) -> tuple[zipfile.ZipInfo, zipfile.ZipInfo, zipfile.ZipInfo]:
    return _member("origin", (3,)), _member("spacing", (3,)), _member("potential", grid.shape)


def _member(name: str, shape: tuple[int, ...]) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"{name}.npy", _LONG_AGO)
    # Told beforehand, as a member of more than 2 GiB has a header of its own.
    info.file_size = len(float64_header(shape)) + int(np.prod(shape, dtype=np.int64)) * _BYTES
    return info
