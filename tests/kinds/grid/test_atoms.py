"""Atoms are checked copies, and random ones have the same bits for ever."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.grid import Grid
from tests.harness.builders import atoms_at
from tests.kinds.grid.strategies import grids

GRID = Grid((-1.5, 0.25, 3.0), (0.5, 0.1, 2.0), (7, 5, 3))
ranges = st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)).map(
    lambda pair: (min(pair), max(pair))
)


def faults_of(*rows: tuple[float, float, float, float]) -> list[str]:
    with pytest.raises(InvalidJob) as raised:
        Atoms.from_rows(rows)
    return [fault.pointer for fault in raised.value.faults]


def test_atoms_do_not_change_with_the_array_they_were_made_of() -> None:
    table = np.ones((2, 4))
    atoms = Atoms.from_rows(table)

    table[:] = 5.0

    assert atoms.rows().tolist() == [[1.0] * 4] * 2
    with pytest.raises(ValueError, match="read-only"):
        atoms.energies[0] = 2.0
    with pytest.raises(ValueError, match="read-only"):
        atoms.positions[0, 0] = 2.0


def test_negative_zero_is_kept_as_zero() -> None:
    assert atoms_at((-0.0, -0.0, -0.0, -0.0)).sha() == atoms_at((0.0, 0.0, 0.0, 0.0)).sha()


def test_another_order_of_atoms_is_another_sha() -> None:
    first, second = (1.0, 2.0, 3.0, 1.0), (3.0, 2.0, 1.0, -1.0)

    assert atoms_at(first, second).sha() != atoms_at(second, first).sha()


def test_rows_are_little_endian_and_in_c_order() -> None:
    rows = atoms_at((1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0)).rows()

    assert rows.dtype == np.dtype("<f8")
    assert np.frombuffer(rows.tobytes(), "<f8").tolist() == [1.0, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("column", "bad"),
    [
        *((k, value) for k in range(3) for value in (math.nan, math.inf, -1.1e9, 1.1e9)),
        *((3, value) for value in (math.nan, -math.inf, 9e-31, -9e-31, 1.1e30, -1.1e30)),
    ],
)
def test_a_value_outside_the_limits_is_pointed_at(column: int, bad: float) -> None:
    row = [0.0, 0.0, 0.0, 1.0]
    row[column] = bad

    found = faults_of((0.0, 0.0, 0.0, 1.0), (row[0], row[1], row[2], row[3]))

    assert found == [f"/atoms/1/{column}"]


def test_all_faults_are_told_together() -> None:
    found = faults_of((math.nan, 0.0, math.inf, 1.0), (0.0, 0.0, 0.0, 1e31))

    assert found == ["/atoms/0/0", "/atoms/0/2", "/atoms/1/3"]


def test_of_very_many_faults_the_rest_is_counted() -> None:
    with pytest.raises(InvalidJob) as raised:
        Atoms(np.zeros((50, 3)), np.full(50, 1e-31))

    assert len(raised.value.faults) == 21
    assert raised.value.faults[-1].detail == "30 more values are faulty"


def test_the_limits_themselves_are_allowed() -> None:
    far = limits.MAX_COORDINATE

    atoms = atoms_at((far, -far, far, limits.MAX_ENERGY), (0.0, 0.0, 0.0, -limits.MIN_ENERGY))

    assert atoms.count == 2


@pytest.mark.parametrize("rows", [[], [[1.0, 2.0, 3.0]], [1.0, 2.0, 3.0, 4.0], [[[1.0] * 4]]])
def test_what_is_not_rows_of_four_is_refused(rows: list[object]) -> None:
    with pytest.raises(InvalidJob, match=r"is not rows of \[x, y, z, e\]"):
        Atoms.from_rows(np.asarray(rows))


def test_no_atoms_are_refused() -> None:
    with pytest.raises(InvalidJob, match="at least one atom"):
        Atoms.from_rows(np.empty((0, 4)))


def test_positions_without_their_energies_are_refused() -> None:
    with pytest.raises(InvalidJob, match="shape"):
        Atoms(np.zeros((2, 3)), np.ones(3))


def test_too_many_atoms_are_refused() -> None:
    with pytest.raises(InvalidJob, match="1000001 atoms are more than 1000000"):
        Atoms(np.zeros((limits.MAX_ATOMS + 1, 3)), np.ones(limits.MAX_ATOMS + 1))


def test_a_seed_gives_the_same_bits_for_ever() -> None:
    atoms = random_atoms(3, seed=42, grid=GRID, energy_range=(-2.0, 3.0))

    # Computed once and written down: whoever must change these breaks every stored problem.
    assert [[value.hex() for value in row] for row in atoms.rows().tolist()] == [
        ["0x1.a4cbe6ce8916cp-1", "0x1.b3c3bd690c1ccp-2", "0x1.9bcd12c26eda1p+2",
         "0x1.7ca18e466e02ap+0"],
        ["-0x1.37abfae065458p+0", "0x1.47ceb58ad2391p-1", "0x1.82da0d2fbc5a4p+2",
         "0x1.ee298d32965ecp+0"],
        ["-0x1.1d9bd5bc75d79p+0", "0x1.b87a637624c2cp-2", "0x1.1eec9e8b80171p+2",
         "0x1.51212cff74d4ep+1"],
    ]  # fmt: skip
    many = random_atoms(1000, seed=7, grid=Grid.cube(16))
    assert many.sha() == "9193103c5f594a322033db170010323519dc02c1aa48de75ca5809dbb5f160c9"


@given(st.integers(0, limits.MAX_SEED), grids, ranges)
def test_random_atoms_lie_in_the_box_with_energies_in_the_half_open_range(
    seed: int, grid: Grid, energy_range: tuple[float, float]
) -> None:
    low, high = energy_range

    atoms = random_atoms(20, seed=seed, grid=grid, energy_range=energy_range)

    last = grid.point(grid.points - 1)
    for k in range(3):
        assert (atoms.positions[:, k] >= grid.origin[k]).all()
        assert (atoms.positions[:, k] <= last[k]).all()
    drawn = atoms.energies[atoms.energies != 0]  # tiny ones are zero
    assert (drawn >= low).all()
    assert (drawn < high).all() or low == high


@given(st.integers(0, limits.MAX_SEED), st.integers(1, 30), st.integers(1, 30))
def test_fewer_atoms_of_a_seed_are_the_first_of_more(seed: int, few: int, more: int) -> None:
    few, more = min(few, more), max(few, more)

    rows = random_atoms(more, seed=seed, grid=GRID).rows()

    assert random_atoms(few, seed=seed, grid=GRID).rows().tobytes() == rows[:few].tobytes()


def test_another_seed_gives_other_atoms() -> None:
    assert random_atoms(5, seed=1, grid=GRID).sha() != random_atoms(5, seed=2, grid=GRID).sha()


def test_an_open_end_is_not_reached_by_rounding() -> None:
    high = math.nextafter(1.0, 2.0)

    atoms = random_atoms(100, seed=3, grid=GRID, energy_range=(1.0, high))

    assert set(atoms.energies.tolist()) == {1.0}


def test_equal_bounds_fix_the_energy() -> None:
    atoms = random_atoms(10, seed=3, grid=GRID, energy_range=(0.25, 0.25))

    assert set(atoms.energies.tolist()) == {0.25}


def test_energies_too_small_to_count_become_zero() -> None:
    atoms = random_atoms(10, seed=3, grid=GRID, energy_range=(-1e-31, 1e-31))

    assert set(atoms.energies.tolist()) == {0.0}


def test_atoms_stay_in_the_world_where_the_box_does_not() -> None:
    far = limits.MAX_COORDINATE
    grid = Grid((far, 0.0, 0.0), (far, 1.0, 1.0), (9, 1, 1))

    assert random_atoms(5, seed=1, grid=grid).positions[:, 0].tolist() == [far] * 5


def test_all_faults_of_a_random_request_are_told_together() -> None:
    with pytest.raises(InvalidJob) as raised:
        random_atoms(0, seed=-1, grid=GRID, energy_range=(math.inf, math.nan))

    assert [fault.pointer for fault in raised.value.faults] == [
        "/atom_count",
        "/seed",
        "/energy_range/0",
        "/energy_range/1",
    ]


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(InvalidJob, match=r"\[1.0, -1.0\] runs backwards; give the least first"):
        random_atoms(1, seed=0, grid=GRID, energy_range=(1.0, -1.0))


def test_atoms_with_other_energies_share_their_places() -> None:
    atoms = Atoms.from_rows([(1.0, 2.0, 3.0, 1.0), (4.0, 5.0, 6.0, -2.0)])

    others = atoms.with_energies(2.0 * atoms.energies)

    assert others.positions is atoms.positions
    assert others.energies.tolist() == [2.0, -4.0]
    assert not others.energies.flags.writeable


def test_atoms_followed_by_others_are_those_of_all_rows() -> None:
    rows = [(1.0, 2.0, 3.0, 1.0), (4.0, 5.0, 6.0, -2.0), (7.0, 8.0, 9.0, 0.0)]

    joined = Atoms.from_rows(rows[:2]).followed_by(Atoms.from_rows(rows[2:]))

    assert joined.sha() == Atoms.from_rows(rows).sha()


def test_the_sha_of_many_atoms_is_that_of_their_rows() -> None:
    atoms = random_atoms(20_000, seed=3, grid=Grid.cube(9))

    assert atoms.sha() == hashlib.sha256(atoms.rows().tobytes()).hexdigest()
