"""Relations between minima that hold whatever the minima are, for every kernel.

Positions, spacings and shifts are multiples of a power of two, so that moving, mirroring and
stretching round nothing, and the relations hold to the last bit.
"""

from __future__ import annotations

from typing import Final, TypedDict

import numpy as np
import pytest

from app_tier.kinds.grid.kernels import KERNELS, find_minimum, potential_map
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Box, Grid
from gridwell.kinds.grid.minimum import Minimum

pytestmark = pytest.mark.usefixtures("unlimited")

every_kernel = pytest.mark.parametrize("kernel", KERNELS)


class Options(TypedDict, total=False):
    """The options of a problem."""

    min_distance: float
    softening: float


OPTIONS: Final[tuple[Options, ...]] = ({}, {"min_distance": 0.75}, {"softening": 0.5})

relations = pytest.mark.parametrize("options", OPTIONS, ids=["plain", "min_distance", "softening"])
seeds = pytest.mark.parametrize("seed", [1, 2, 3])

GRID: Final = Grid((-2.25, 1.5, 4.0), (0.5, 1.0, 0.75), (14, 9, 11))


def _atoms(seed: int, count: int = 150) -> Atoms:
    """Atoms in and around `GRID`, on multiples of 1/1024: moving them so much rounds nothing."""
    draw = np.random.default_rng(seed)
    low = np.array(GRID.origin) - 1
    extent = np.array(GRID.spacing) * GRID.shape + 2
    places = low + np.floor(1024 * extent * draw.random((count, 3))) / 1024
    return Atoms(places, draw.uniform(-1, 1, count))


def _least(
    kernel: str, grid: Grid, atoms: Atoms, options: Options, box: Box | None = None
) -> Minimum:
    least = find_minimum(grid, atoms, box, kernel=kernel, **options)
    assert least is not None
    return least


@every_kernel
@seeds
@relations
def test_moving_everything_changes_nothing(kernel: str, seed: int, options: Options) -> None:
    atoms, way = _atoms(seed), np.array([1024.0, -512.25, 77.5])
    x, y, z = (np.array(GRID.origin) + way).tolist()
    moved = Grid((x, y, z), GRID.spacing, GRID.shape)

    found = _least(kernel, moved, Atoms(atoms.positions + way, atoms.energies), options)

    assert found == _least(kernel, GRID, atoms, options)


@every_kernel
@seeds
@relations
def test_the_order_of_atoms_does_not_matter(kernel: str, seed: int, options: Options) -> None:
    atoms = _atoms(seed)
    order = np.random.default_rng(seed).permutation(atoms.count)

    found = _least(kernel, GRID, Atoms(atoms.positions[order], atoms.energies[order]), options)

    assert found == _least(kernel, GRID, atoms, options)


@every_kernel
@seeds
@relations
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirror_image_has_the_mirrored_minimum(
    kernel: str, seed: int, options: Options, axis: int
) -> None:
    atoms = _atoms(seed)
    positions, origin = atoms.positions.copy(), list(GRID.origin)
    positions[:, axis] *= -1
    origin[axis] = -GRID.origin[axis] - GRID.spacing[axis] * (GRID.shape[axis] - 1)
    mirrored = Grid((origin[0], origin[1], origin[2]), GRID.spacing, GRID.shape)
    least = _least(kernel, GRID, atoms, options)
    place = list(GRID.triple(least.index))
    place[axis] = GRID.shape[axis] - 1 - place[axis]

    found = _least(kernel, mirrored, Atoms(positions, atoms.energies), options)

    assert found == Minimum(least.value, GRID.linear(*place))


@every_kernel
@seeds
@relations
def test_x_and_y_may_change_places(kernel: str, seed: int, options: Options) -> None:
    # Not z: the formula adds dx*dx and dy*dy first, and rounds there.
    atoms = _atoms(seed)
    (ox, oy, oz), (sx, sy, sz), (nx, ny, nz) = GRID.origin, GRID.spacing, GRID.shape
    turned = Grid((oy, ox, oz), (sy, sx, sz), (ny, nx, nz))
    least = _least(kernel, GRID, atoms, options)
    x, y, z = GRID.triple(least.index)

    found = _least(kernel, turned, Atoms(atoms.positions[:, [1, 0, 2]], atoms.energies), options)

    assert found == Minimum(least.value, turned.linear(y, x, z))


@every_kernel
@seeds
@relations
@pytest.mark.parametrize("factor", [2.0**40, 2.0**-70])
def test_energies_times_a_power_of_two_scale_the_minimum_exactly(
    kernel: str, seed: int, options: Options, factor: float
) -> None:
    atoms = _atoms(seed)
    least = _least(kernel, GRID, atoms, options)

    found = _least(kernel, GRID, Atoms(atoms.positions, factor * atoms.energies), options)

    assert found == Minimum(factor * least.value, least.index)


@every_kernel
@seeds
@relations
@pytest.mark.parametrize("factor", [2.0**20, 2.0**-20])
def test_lengths_times_a_power_of_two_divide_the_minimum_exactly(
    kernel: str, seed: int, options: Options, factor: float
) -> None:
    atoms = _atoms(seed)
    (ox, oy, oz), (sx, sy, sz) = GRID.origin, GRID.spacing
    larger = Grid(
        (factor * ox, factor * oy, factor * oz), (factor * sx, factor * sy, factor * sz), GRID.shape
    )
    scaled: Options = {}
    if "min_distance" in options:
        scaled["min_distance"] = factor * options["min_distance"]
    if "softening" in options:
        scaled["softening"] = factor * options["softening"]
    least = _least(kernel, GRID, atoms, options)

    found = _least(
        kernel,
        larger,
        Atoms(factor * atoms.positions, atoms.energies),
        scaled,
    )

    assert found == Minimum(least.value / factor, least.index)


@every_kernel
@seeds
@relations
def test_potentials_of_two_groups_add_up(kernel: str, seed: int, options: Options) -> None:
    one, two = _atoms(seed, 100), _atoms(seed + 100, 60)
    both = Atoms.from_rows(np.vstack([one.rows(), two.rows()]))

    least = _least(kernel, GRID, both, options)

    x, y, z = GRID.triple(least.index)
    there = Box((x, y, z), (x + 1, y + 1, z + 1))
    parts = [_least(kernel, GRID, group, options, there).value for group in (one, two)]
    rounding = 4 * 2**-53 * sum(map(abs, parts))
    assert least.value == pytest.approx(sum(parts), rel=0, abs=rounding)
    floor = sum(_least(kernel, GRID, group, options).value for group in (one, two))
    assert least.value >= floor - rounding


@seeds
@relations
def test_maps_of_two_groups_add_up(seed: int, options: Options) -> None:
    one, two = _atoms(seed, 100), _atoms(seed + 100, 60)
    both = Atoms.from_rows(np.vstack([one.rows(), two.rows()]))
    size = Atoms(both.positions, np.abs(both.energies))

    whole, first, second, terms = (
        potential_map(GRID, atoms, GRID.box, **options) for atoms in (both, one, two, size)
    )

    # Each of the three is within its stated bound, and together their terms are those of `size`.
    bound = 4 * (both.count + 8) * 2**-53 * terms
    good = np.isfinite(whole)
    assert (good == (np.isfinite(first) & np.isfinite(second))).all()
    assert good.any()
    assert (np.abs(whole - first - second)[good] <= bound[good]).all()


@every_kernel
@seeds
def test_positive_atoms_are_least_felt_on_the_boundary(kernel: str, seed: int) -> None:
    # S. Earnshaw, 1842: among charges of one sign nothing comes to rest away from the boundary.
    # A theorem of the continuum; on a grid it holds here, where no cell of the boundary is crowded.
    atoms = _atoms(seed)

    least = _least(kernel, GRID, Atoms(atoms.positions, np.abs(atoms.energies)), {})

    place = GRID.triple(least.index)
    assert any(k in {0, n - 1} for k, n in zip(place, GRID.shape, strict=True))
