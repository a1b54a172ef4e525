"""OpenDX scalar fields, as PyMOL, VMD, ChimeraX, 3Dmol.js and GridDataFormats read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.formats.maps.value_blocks import pieces, without_gaps
from gridwell.kinds.grid.formats.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gridwell.kinds.grid.grid import Grid

_PER_LINE: Final = 3  #: as APBS writes them; VMD cuts lines at 84 characters
_PIECE: Final = 30_000  #: values per piece of bytes


def dx(
    grid: Grid, values: Iterable[NDArray[np.float64]], *, title: Sequence[str] = ()
) -> Iterator[bytes]:
    """Yield a map as OpenDX text.

    Numbers keep every bit.  A point without a value is written as 0, and the header says so: not
    all readers take "nan".  The comments stand
    above the header: VMD reads none below it.  The type is double, as PyMOL skips maps of float.

    Args:
        grid: its spacing and origin are written as they are.
        values: the potentials in C order, in arrays of any sizes.
        title: lines of comment.

    Raises:
        WrongCount: if there are more or fewer values than points.
    """
    yield _head(grid, title).encode()
    for block in pieces(grid, values, _PIECE):
        numbers = without_gaps(block).tolist()
        lines = (numbers[k : k + _PER_LINE] for k in range(0, len(numbers), _PER_LINE))
        yield "".join(" ".join(map(repr, line)) + "\n" for line in lines).encode()
    yield (
        b'attribute "dep" string "positions"\n'
        b'object "potential" class field\n'
        b'component "positions" value 1\n'
        b'component "connections" value 2\n'
        b'component "data" value 3\n'
    )


def _head(grid: Grid, title: Sequence[str]) -> str:
    (x, y, z), (dx_, dy, dz) = map(_floats, (grid.origin, grid.spacing))
    counts = " ".join(map(str, grid.shape))
    comments = [*map(one_line, title), "a point without a value is written as 0"]
    return "".join(
        f"{line}\n"
        for line in (
            *(f"# {comment}" for comment in comments),
            f"object 1 class gridpositions counts {counts}",
            f"origin {x!r} {y!r} {z!r}",
            f"delta {dx_!r} 0 0",
            f"delta 0 {dy!r} 0",
            f"delta 0 0 {dz!r}",
            f"object 2 class gridconnections counts {counts}",
            f"object 3 class array type double rank 0 items {grid.points} data follows",
        )
    )


def _floats(values: tuple[float, float, float]) -> tuple[float, float, float]:
    """Whole numbers of Python too: their repr would be without a decimal point."""
    x, y, z = values
    return float(x), float(y), float(z)
