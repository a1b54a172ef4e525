"""Atoms: where they are and how strongly each acts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from gridwell.kinds.grid.grid import Grid

_COLUMNS = ("x", "y", "z", "e")
_BLOCK = 1 << 13  #: atoms looked at together: a million of them fill much memory once more
_REPORTED = 20  #: faults told of one input: a wrong unit makes every atom faulty


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Atoms:
    """Positions and energies (charges) of the atoms.

    Attributes:
        positions: float64 of shape (N, 3), in the caller's unit of length.
        energies: float64 of shape (N,); zero, or of an absolute value within the limits.

    Both are read-only copies; -0.0 is kept as 0.0, so that equal atoms have equal bytes.

    Raises:
        InvalidJob: if there are no atoms, or a value lies outside `gridwell.kinds.grid.limits`.
    """

    positions: NDArray[np.float64]
    energies: NDArray[np.float64]

    def __post_init__(self) -> None:
        positions = np.array(self.positions, dtype=np.float64, order="C", ndmin=2)
        energies = np.array(self.energies, dtype=np.float64, ndmin=1)
        positions += 0.0
        energies += 0.0
        count = len(energies)
        if positions.shape != (count, 3) or energies.shape != (count,) or count == 0:
            raise InvalidJob(
                Fault(
                    "/atoms",
                    f"positions of shape {positions.shape} and energies of shape {energies.shape} "
                    "are not (N, 3) and (N,) with at least one atom",
                )
            )
        check_count(count)
        if faults := tuple(_faults(positions, energies)):
            raise InvalidJob(*faults)
        positions.flags.writeable = False
        energies.flags.writeable = False
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "energies", energies)

    @classmethod
    def from_rows(cls, rows: ArrayLike) -> Atoms:
        """Atoms from rows of x, y, z and energy: anything numpy reads as shape (N, 4)."""
        table = np.asarray(rows, dtype=np.float64)
        if table.ndim != len(("row", "column")) or table.shape[1] != len(_COLUMNS):
            raise InvalidJob(
                Fault("/atoms", f"an array of shape {table.shape} is not rows of [x, y, z, e]")
            )
        return cls(table[:, :3], table[:, 3])

    @property
    def count(self) -> int:
        """Number of atoms."""
        return len(self.energies)

    def with_energies(self, energies: NDArray[np.float64]) -> Atoms:
        """Return the same places with other energies, within the limits and not copied."""
        return _unchecked(self.positions, energies)

    def rows(self) -> NDArray[np.float64]:
        """Return the atoms as one C-ordered little-endian float64 array of shape (N, 4)."""
        return _table(self.positions, self.energies)

    def followed_by(self, other: Atoms) -> Atoms:
        """Return these atoms and then others."""
        return _unchecked(
            np.concatenate([self.positions, other.positions]),
            np.concatenate([self.energies, other.energies]),
        )

    def sha(self) -> str:
        """Return the sha256 of `rows`, in hex: equal atoms in equal order, and nothing else."""
        found = hashlib.sha256()
        for start in range(0, self.count, _BLOCK):
            part = slice(start, start + _BLOCK)
            found.update(_table(self.positions[part], self.energies[part]).data)
        return found.hexdigest()


def _unchecked(positions: NDArray[np.float64], energies: NDArray[np.float64]) -> Atoms:
    """Return atoms of valid arrays, which are made read-only and not copied."""
    positions.flags.writeable = False
    energies.flags.writeable = False
    atoms = object.__new__(Atoms)
    object.__setattr__(atoms, "positions", positions)
    object.__setattr__(atoms, "energies", energies)
    return atoms


def _table(positions: NDArray[np.float64], energies: NDArray[np.float64]) -> NDArray[np.float64]:
    table = np.empty((len(energies), len(_COLUMNS)), dtype="<f8")
    table[:, :3] = positions
    table[:, 3] = energies
    return table


def check_count(count: int) -> None:
    """Refuse more atoms than a problem may have.

    Raises:
        InvalidJob: if there are more.
    """
    if count > limits.MAX_ATOMS:
        raise InvalidJob(Fault("/atoms", f"{count} atoms are more than {limits.MAX_ATOMS}"))


def random_atoms(
    count: int, *, seed: int, grid: Grid, energy_range: tuple[float, float] = (-1.0, 1.0)
) -> Atoms:
    """Draw atoms uniformly in the grid's box, with energies in ``[low, high)``.

    The same arguments always give the same bits. Only the raw 64-bit stream of PCG64 is used, which
    numpy promises to keep, and not its distributions (numpy enhancement proposal 19).

    Args:
        count: how many, 1 to `limits.MAX_ATOMS`.
        seed: 0 to `limits.MAX_SEED`.
        grid: the box goes from its first to its last point.
        energy_range: the least energy, and the bound above all of them; equal ones fix it.
            An energy of an absolute value below `limits.MIN_ENERGY` becomes 0.

    Raises:
        InvalidJob: if an argument lies outside the limits.
    """
    if faults := tuple(_random_faults(count, seed, energy_range)):
        raise InvalidJob(*faults)
    stream = np.random.PCG64(seed)
    extent = np.array([grid.spacing[k] * (grid.shape[k] - 1) for k in range(3)])
    low, high = energy_range
    positions, energies = np.empty((count, 3)), np.empty(count)
    for start in range(0, count, _BLOCK):
        part = slice(start, min(start + _BLOCK, count))
        raw = stream.random_raw(4 * (part.stop - start)).reshape(-1, 4)
        unit = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53  # 53 bits: exact, below 1
        positions[part] = np.clip(np.array(grid.origin) + extent * unit[:, :3], *_WORLD)
        energies[part] = low + (high - low) * unit[:, 3]
    if low < high:  # a product that rounds up must not reach the open end
        np.minimum(energies, np.nextafter(high, low), out=energies)
    energies[np.abs(energies) < limits.MIN_ENERGY] = 0.0
    return Atoms(positions, energies)


_WORLD = (-limits.MAX_COORDINATE, limits.MAX_COORDINATE)


def _faults(positions: NDArray[np.float64], energies: NDArray[np.float64]) -> Iterator[Fault]:
    bad = np.empty((len(energies), len(_COLUMNS)), dtype=np.bool_)
    for start in range(0, len(energies), _BLOCK):
        part = slice(start, start + _BLOCK)
        size = np.abs(energies[part])
        good = (size == 0) | ((size >= limits.MIN_ENERGY) & (size <= limits.MAX_ENERGY))
        bad[part, 3] = ~good
        bad[part, :3] = ~(np.abs(positions[part]) <= limits.MAX_COORDINATE)
    places = np.argwhere(bad)
    for row, column in places[:_REPORTED].tolist():
        if column == len(_COLUMNS) - 1:
            yield Fault(
                f"/atoms/{row}/{column}",
                f"the energy {float(energies[row])!r} is neither 0 nor of an absolute value "
                f"between {limits.MIN_ENERGY:g} and {limits.MAX_ENERGY:g}",
            )
        else:
            yield Fault(
                f"/atoms/{row}/{column}",
                f"the coordinate {_COLUMNS[column]} = {float(positions[row, column])!r} is not "
                f"between -{limits.MAX_COORDINATE:g} and {limits.MAX_COORDINATE:g}",
            )
    if len(places) > _REPORTED:
        yield Fault("/atoms", f"{len(places) - _REPORTED} more values are faulty")


def _random_faults(count: int, seed: int, energy_range: tuple[float, float]) -> Iterator[Fault]:
    if not 1 <= count <= limits.MAX_ATOMS:
        yield Fault("/atom_count", f"{count} is not between 1 and {limits.MAX_ATOMS} atoms")
    if not 0 <= seed <= limits.MAX_SEED:
        yield Fault("/seed", f"{seed} is not between 0 and {limits.MAX_SEED}")
    low, high = energy_range
    for k, bound in enumerate(energy_range):
        if not abs(bound) <= limits.MAX_ENERGY:
            yield Fault(
                f"/energy_range/{k}",
                f"{bound!r} is not between -{limits.MAX_ENERGY:g} and {limits.MAX_ENERGY:g}",
            )
    if low > high:
        yield Fault("/energy_range", f"[{low!r}, {high!r}] runs backwards; give the least first")
