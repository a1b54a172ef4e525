"""Maps, read back by programs that are not ours: GridDataFormats, ASE and numpy."""

from __future__ import annotations

import io
import math
import zipfile
from typing import TYPE_CHECKING

import gridData
import numpy as np
import pytest
from ase.io.cube import read_cube
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.formats import (
    WrongCount,
    cube,
    cube_length,
    dx,
    map_csv,
    npz,
    npz_length,
    points_csv,
)
from gridwell.kinds.grid.formats.maps.cube import BOHR
from gridwell.kinds.grid.formats.maps.value_blocks import pieces
from gridwell.kinds.grid.grid import Grid
from tests.kinds.grid.strategies import grids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Slabs = Iterable[NDArray[np.float64]]

ATOM = Atoms.from_rows([[0.5, -1.25, 2.0, -0.5], [3.0, 0.0, -1.0, 0.25]])
GRID = Grid((-1.5, 0.1, 1e-3), (0.5, 0.25, 1.0 / 3.0), (3, 4, 7))
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-100, 100),
    st.just(math.nan),
)


@st.composite
def maps(draw: st.DrawFn) -> tuple[Grid, NDArray[np.float64]]:
    grid = draw(grids)
    return grid, draw(arrays(np.float64, grid.shape, elements=numbers))


def cut(values: NDArray[np.float64], length: int) -> Iterator[NDArray[np.float64]]:
    """The values in slabs, as a reader of chunks would give them."""
    flat = values.reshape(-1)
    return (flat[k : k + length] for k in range(0, len(flat), length))


def some_values(grid: Grid) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(size=grid.shape)


@settings(max_examples=60)
@given(maps(), st.integers(1, 40))
def test_a_dx_file_keeps_every_bit_but_has_no_word_for_no_value(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: tuple[Grid, NDArray[np.float64]],
    length: int,
) -> None:
    grid, values = drawn
    path = tmp_path_factory.mktemp("dx", numbered=True) / "map.dx"
    path.write_bytes(b"".join(dx(grid, cut(values, length), title=["a map", "# ü"])))

    read = gridData.OpenDX.field(0)
    read.read(str(path))

    positions, data = read.components["positions"], read.components["data"]
    assert tuple(positions.origin) == grid.origin
    assert np.array_equal(positions.delta, np.diag(grid.spacing))
    assert data.type == "double"
    assert np.array_equal(
        data.array.reshape(grid.shape), np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    )


def test_no_line_of_a_dx_file_is_longer_than_what_vmd_reads() -> None:
    tiny = -1.2345678901234567e-300
    grid = Grid((tiny, tiny, tiny), (1 / 3 * 1e-5, 1 / 7 * 1e-5, 1 / 9 * 1e-5), (2, 3, 4))

    text = b"".join(dx(grid, [np.full(24, tiny)], title=["long " * 50, "of\ntwo lines"]))

    lines = text.decode("ascii").splitlines()
    assert max(map(len, lines)) < 84
    assert lines[1] == "# of two lines"
    assert lines[3].startswith("object 1 class gridpositions counts 2 3 4"), "no comment below it"


@pytest.mark.parametrize("length", [1, 5, 84])
def test_a_dx_file_is_read_back_as_a_grid(tmp_path: Path, length: int) -> None:
    values = some_values(GRID)
    (tmp_path / "map.dx").write_bytes(b"".join(dx(GRID, cut(values, length))))

    grid = gridData.Grid(str(tmp_path / "map.dx"))

    assert np.array_equal(grid.grid, values)
    # It keeps the edges of cells, and takes origin and spacing from them.
    assert np.allclose(grid.origin, GRID.origin, rtol=1e-12)
    assert np.allclose(grid.delta, GRID.spacing, rtol=1e-12)


@pytest.mark.parametrize("shape", [(3, 4, 7), (2, 1, 6), (1, 3, 13), (5, 1, 1)])
def test_a_cube_file_keeps_six_digits_and_its_atoms(shape: tuple[int, int, int]) -> None:
    grid = Grid(GRID.origin, GRID.spacing, shape)
    values = some_values(grid)
    text = b"".join(cube(grid, ATOM, cut(values, 5), title="a map")).decode("ascii")

    read = read_cube(io.StringIO(text), program=None)  # type: ignore[no-untyped-call] # ASE's

    assert np.allclose(read["data"], values, rtol=5.1e-6, atol=0)
    assert np.allclose(read["origin"], grid.origin, atol=1e-6)
    assert np.allclose(np.diag(read["spacing"]), grid.spacing, atol=1e-6)
    assert np.allclose(read["atoms"].positions, ATOM.positions, atol=1e-6)
    fields = [line.split() for line in text.splitlines()[6:8]]
    assert [(field[0], float(field[1])) for field in fields] == [("0", -0.5), ("0", 0.25)]


def test_each_row_of_a_cube_file_begins_on_a_line_of_its_own() -> None:
    text = b"".join(cube(GRID, ATOM, [np.arange(84.0)])).decode()

    rows = text.splitlines()[8:]
    assert [len(row.split()) for row in rows] == [6, 1] * 12
    assert rows[2] == "".join(f"{value:13.5E}" for value in range(7, 13))
    assert text.splitlines()[2:4] == [
        f"    2{-1.5 / BOHR:12.6f}{0.1 / BOHR:12.6f}{1e-3 / BOHR:12.6f}",
        f"    3{0.5 / BOHR:12.6f}{0:12.6f}{0:12.6f}",
    ]


def test_values_of_a_cube_file_never_touch() -> None:
    values = np.full(84, -1.5e-200)
    values[3] = math.nan
    text = b"".join(cube(GRID, ATOM, [values])).decode()

    row = [float(field) for line in text.splitlines()[8:10] for field in line.split()]
    assert row == [-1.5e-200] * 3 + [0.0] + [-1.5e-200] * 3


def test_a_grid_too_fine_for_a_cube_file_is_refused_with_the_remedy() -> None:
    grid = Grid((0, 0, 0), (1.0, 1e-5, 1e-9), (10, 10, 10))

    with pytest.raises(InvalidJob, match="take OpenDX or NPZ") as raised:
        next(cube(grid, ATOM, []))

    assert [fault.pointer for fault in raised.value.faults] == ["/grid/spacing/2"]


@settings(max_examples=60)
@given(maps(), st.integers(1, 40))
def test_an_npz_file_keeps_every_bit_and_needs_no_pickle(
    drawn: tuple[Grid, NDArray[np.float64]], length: int
) -> None:
    grid, values = drawn
    data = b"".join(npz(grid, cut(values, length)))

    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    with np.load(io.BytesIO(data), allow_pickle=False) as read:
        assert set(read.files) == {"origin", "spacing", "potential"}
        assert tuple(read["origin"]) == grid.origin
        assert tuple(read["spacing"]) == grid.spacing
        assert np.array_equal(read["potential"], values, equal_nan=True)
    assert data == b"".join(npz(grid, [values])), "the slabs leave no trace"


@settings(max_examples=60)
@given(maps(), st.sampled_from([50, 150, 250, 600, 1000, 10_000, zipfile.ZIP64_LIMIT]))
def test_the_length_of_an_npz_file_is_known_before_it_is_written(
    drawn: tuple[Grid, NDArray[np.float64]], limit: int
) -> None:
    grid, values = drawn
    with pytest.MonkeyPatch.context() as patch:
        # Beyond it zipfile writes numbers of eight bytes: of a real one that were two gigabytes.
        patch.setattr(zipfile, "ZIP64_LIMIT", limit)

        assert npz_length(grid) == len(b"".join(npz(grid, [values])))


coordinates = st.floats(-1e9, 1e9) | st.floats(-20, 20) | st.sampled_from([1000, -99.9999999, 1e-9])
energies = st.sampled_from([0.0, 1e30, -1e30, 999.9999996, -999.9999996, -100.0]) | st.floats(-9, 9)


@settings(max_examples=100)
@given(
    maps(),
    st.lists(st.tuples(coordinates, coordinates, coordinates, energies), min_size=1, max_size=5),
    st.text(max_size=90),
)
def test_the_length_of_a_cube_file_is_known_before_it_is_written_or_not_told(
    drawn: tuple[Grid, NDArray[np.float64]],
    rows: list[tuple[float, float, float, float]],
    title: str,
) -> None:
    grid, values = drawn
    values = np.where(np.abs(values) < 1e-60, 0.0, values)  # no potential is, but none
    atoms = Atoms.from_rows([[x, y, z, 0.0 if abs(e) < 1e-30 else e] for x, y, z, e in rows])
    least = min(np.nan_to_num(values, nan=0.0).min(), 0.0)
    try:
        length = cube_length(grid, atoms, least=least, title=title)
    except InvalidJob:
        with pytest.raises(InvalidJob):
            next(cube(grid, atoms, [values], title=title))
        return

    assert (length is None) == (least <= -9e99)
    if length is not None:
        assert length == len(b"".join(cube(grid, atoms, [values], title=title)))


@settings(max_examples=60)
@given(maps(), st.integers(1, 40))
def test_a_csv_file_of_a_map_has_each_point_as_a_list_of_points_has_it(
    drawn: tuple[Grid, NDArray[np.float64]], length: int
) -> None:
    grid, values = drawn

    written = b"".join(map_csv(grid, cut(values, length)))

    assert written == b"".join(points_csv(grid, enumerate(values.reshape(-1).tolist())))


WRITERS: list[Callable[[Grid, Slabs], Iterator[bytes]]] = [
    dx,
    npz,
    map_csv,
    lambda grid, values: cube(grid, ATOM, values),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("count", [0, 83, 85, 1000])
def test_a_map_of_another_size_than_its_grid_is_never_whole(
    write: Callable[[Grid, Slabs], Iterator[bytes]], count: int
) -> None:
    with pytest.raises(WrongCount, match=r"values were given for the 84 points"):
        list(write(GRID, cut(np.zeros(count), 10)))


@pytest.mark.parametrize("write", WRITERS)
def test_a_map_is_written_while_its_values_still_come(
    write: Callable[[Grid, Slabs], Iterator[bytes]],
) -> None:
    grid = Grid.cube(100)
    given: list[int] = []

    def slabs() -> Iterator[NDArray[np.float64]]:
        for k in range(100):
            given.append(k)
            yield np.zeros((1, 100, 100))

    written = 0
    ahead = 0
    for piece in write(grid, slabs()):
        written += len(piece)
        ahead = max(ahead, len(given) * 10_000 * 4 - written)

    assert written > 1_000_000 * 4
    assert ahead < 200_000 * 8, "at most a few pieces are held"


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20).filter(sum), st.integers(1, 20))
def test_pieces_have_one_length_and_lose_nothing(sizes: list[int], length: int) -> None:
    total = sum(sizes)
    values = np.arange(float(total))
    slabs = np.split(values, np.cumsum(sizes)[:-1])
    grid = Grid((0, 0, 0), (1, 1, 1), (1, 1, total))

    found = list(pieces(grid, slabs, length))

    assert [len(piece) for piece in found[:-1]] == [length] * (len(found) - 1)
    assert np.array_equal(np.concatenate(found), values)


def test_points_are_listed_with_index_place_and_value() -> None:
    text = b"".join(points_csv(GRID, [(0, -0.1), (83, None), (29, math.nan)])).decode()

    lines = text.split("\r\n")
    assert lines[0] == "ix,iy,iz,x,y,z,potential"
    assert lines[1] == "0,0,0,-1.5,0.1,0.001,-0.1"
    assert lines[2].startswith("2,3,6,")
    assert lines[2].endswith(",")
    x, y, z = map(float, lines[3].split(",")[3:6])
    assert (x, y, z) == GRID.point(29)
    assert lines[3].endswith(",")


@given(grids, st.data())
def test_every_point_of_a_grid_comes_back_from_csv_to_the_last_bit(
    grid: Grid, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, grid.points - 1))
    value = data.draw(st.floats(allow_nan=False, allow_infinity=False))

    row = b"".join(points_csv(grid, [(index, value)])).decode().split("\r\n")[1].split(",")

    assert grid.linear(*map(int, row[:3])) == index
    assert tuple(map(float, row[3:6])) == grid.point(index)
    assert float(row[6]) == value
