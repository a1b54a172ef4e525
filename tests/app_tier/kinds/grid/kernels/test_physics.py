"""Potentials that physics knows without computing them by our formula.

Each test asks `find_minimum` of every kernel: a value at one point is the least of a box of one
point.  Maps have theirs too.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from app_tier.kinds.grid.kernels import KERNELS, find_minimum, potential_map
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Box, Grid
from gridwell.kinds.grid.minimum import Minimum
from tests.harness.builders import atoms_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

MADELUNG: Final = 1.7475645946331822  #: of rock salt, OEIS A085469
UNIT: Final = (1.0, 1.0, 1.0)

pytestmark = pytest.mark.usefixtures("unlimited")

every_kernel = pytest.mark.parametrize("kernel", KERNELS)


@every_kernel
@pytest.mark.parametrize(
    ("half", "expected"),
    [(2, -1.751769133), (4, -1.747721110), (8, -1.747574382), (16, -1.747565206)],
)
def test_evjens_cubes_of_rock_salt_approach_madelungs_constant(
    kernel: str, half: int, expected: float
) -> None:
    # H. M. Evjen, Physical Review 39, 675 (1932): ions on faces, edges and corners are shared with
    # the neighbouring cubes, so that each cube is neutral.
    side = np.arange(-half, half + 1)
    places = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    shares = 0.5 ** (np.abs(places) == half).sum(axis=1)
    charges = np.where(places.sum(axis=1) % 2, -1.0, 1.0) * shares
    ions = places.any(axis=1)  # the one in the middle is taken out
    around = Grid((-1.0, -1.0, -1.0), UNIT, (3, 3, 3))

    least = find_minimum(
        around, Atoms(places[ions].astype(np.float64), charges[ions]), kernel=kernel
    )

    assert least is not None
    assert around.triple(least.index) == (1, 1, 1), "the other 26 points lie on ions"
    assert least.value == pytest.approx(expected, abs=0.6e-9)
    assert abs(least.value + MADELUNG) < 0.0043 * (2 / half) ** 4


@every_kernel
def test_the_centre_of_a_charged_cube_is_at_eight_over_the_square_root_of_three(
    kernel: str,
) -> None:
    corners = itertools.product((-1.0, 1.0), repeat=3)
    grid = Grid((-4.0, -4.0, -4.0), UNIT, (9, 9, 9))

    centre = find_minimum(
        grid,
        atoms_at(*((x, y, z, 1.0) for x, y, z in corners)),
        Box((4, 4, 4), (5, 5, 5)),
        kernel=kernel,
    )

    assert centre == Minimum(4.618802153517007, grid.linear(4, 4, 4))
    assert centre.value == pytest.approx(8 / math.sqrt(3), rel=2**-52)


DIPOLE: Final = ((0.0, 0.0, 0.5, 1.0), (0.0, 0.0, -0.5, -1.0))


@every_kernel
def test_the_midplane_of_a_dipole_is_exactly_zero(kernel: str) -> None:
    grid = Grid((-5.0, -5.0, -5.0), UNIT, (11, 11, 11))
    midplane = Box((0, 0, 5), (11, 11, 6))

    least = find_minimum(grid, atoms_at(*DIPOLE), midplane, kernel=kernel)
    most = find_minimum(grid, atoms_at(*DIPOLE[::-1]), midplane, kernel=kernel)

    # All of it ties, so that the lowest index wins.
    assert least == most == Minimum(0.0, grid.linear(0, 0, 5))


@every_kernel
def test_a_dipole_is_lowest_beside_its_negative_end(kernel: str) -> None:
    grid = Grid((-20.0, -20.0, -20.0), UNIT, (41, 41, 41))
    short = atoms_at((0.0, 0.0, 0.25, 1.0), (0.0, 0.0, -0.25, -1.0))

    least = find_minimum(grid, short, kernel=kernel)

    assert least is not None
    assert grid.triple(least.index) == (20, 20, 19)
    assert least.value == pytest.approx(1 / 1.25 - 1 / 0.75, rel=1e-15)


@every_kernel
def test_a_dipole_is_exactly_antisymmetric(kernel: str) -> None:
    grid = Grid((-2.0, -2.0, -2.0), UNIT, (5, 5, 5))
    for x, y, z in itertools.product(range(5), range(5), range(3)):
        above, below = (
            Box((x, y, z), (x + 1, y + 1, z + 1)),
            Box((x, y, 4 - z), (x + 1, y + 1, 5 - z)),
        )

        one = find_minimum(grid, atoms_at(*DIPOLE), above, kernel=kernel)
        other = find_minimum(grid, atoms_at(*DIPOLE), below, kernel=kernel)

        assert one is not None
        assert other is not None
        assert one.value == -other.value


INSIDE: Final = Grid((-3.0, -3.0, -3.0), UNIT, (7, 7, 7))
OUTSIDE: Final = Grid((18.0, -3.0, -3.0), UNIT, (7, 7, 7))
RADIUS: Final = 10.0


@every_kernel
def test_a_charged_shell_is_not_felt_inside(kernel: str) -> None:
    # Newton's shell theorem.  A potential is flat if the least of it and of its negative are the
    # same but for the sign.
    places, shares = _shell(25, 80)

    least = find_minimum(INSIDE, Atoms(RADIUS * places, shares), kernel=kernel)
    most = find_minimum(INSIDE, Atoms(RADIUS * places, -shares), kernel=kernel)

    assert least is not None
    assert most is not None
    assert least.value == pytest.approx(1 / RADIUS, abs=1e-14)
    assert -most.value == pytest.approx(1 / RADIUS, abs=1e-14)


@every_kernel
def test_a_charged_shell_is_a_charge_in_its_middle_seen_from_outside(kernel: str) -> None:
    # So with the opposite charge there, nothing is left.
    places, shares = _shell(25, 80)
    positions = np.vstack([RADIUS * places, np.zeros((1, 3))])
    energies = np.append(shares, -1.0)

    least = find_minimum(OUTSIDE, Atoms(positions, energies), kernel=kernel)
    most = find_minimum(OUTSIDE, Atoms(positions, -energies), kernel=kernel)

    assert least is not None
    assert most is not None
    assert least.value == pytest.approx(0, abs=1e-14)
    assert -most.value == pytest.approx(0, abs=1e-14)


def test_a_map_through_a_charged_shell_is_flat_and_then_falls_as_one_over_the_distance() -> None:
    places, shares = _shell(25, 80)
    line = Grid((-30.0, 0.0, 0.0), UNIT, (61, 1, 1))
    distance = np.abs(line.axis(0))

    found = potential_map(line, Atoms(RADIUS * places, shares), line.box)[:, 0, 0]

    away = (distance <= 5) | (distance >= 18)
    expected = 1 / np.maximum(distance, RADIUS)
    np.testing.assert_allclose(found[away], expected[away], rtol=0, atol=1e-14)


def _shell(rings: int, around: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the unit sphere and their shares of a charge of 1, as if it were spread evenly.

    Gauss's quadrature along the axis and equal steps around it are exact for spherical harmonics up
    to degree `around` - 1 and 2 `rings` - 1, so that distance makes the rest vanish:
    (3 sqrt 3 / 10)^50 in the corners of `INSIDE`.  Points that only look even leave 5e-7.
    """
    heights, weights = np.polynomial.legendre.leggauss(rings)
    turns = 2 * np.pi * np.arange(around) / around
    flat = np.sqrt(1 - heights * heights)[:, None]
    places = np.stack(
        [
            flat * np.cos(turns),
            flat * np.sin(turns),
            np.broadcast_to(heights[:, None], (rings, around)),
        ],
        axis=-1,
    )
    return places.reshape(-1, 3), np.repeat(weights / 2 / around, around)
