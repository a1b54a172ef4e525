"""Verification of answers by a computation that shares no code with the service.

Every point is summed in numpy with a bound on the rounding error; the few that could still be the
least are summed exactly, in plain Python.  No kernel of the service and not its formula is used:
one mistake would then hide the other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workload_generator.requests import Request

_BLOCK: Final = 1 << 17  #: pairs summed together: 1 MiB, which a core's cache holds
_HALF_ULP: Final = 2.0**-53

Triple = tuple[int, int, int]


def least(size: int, atoms: NDArray[np.float64]) -> tuple[float, Triple] | None:
    """Return the least potential and its point, of equal ones the first in C order.

    Source: n terms summed in any order err by less than n ulp/2 times the sum of their absolute
    values (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2). The terms
    themselves equal those of the exact sum to the last bit.  Twice that covers the bound's own
    rounding.

    Args:
        size: n for the points with coordinates 0..n-1 along each axis.
        atoms: rows of x, y, z and energy, of shape (N, 4).

    Returns:
        None if an atom sits on every point.
    """
    values, bounds = _rough(size, atoms)
    slack = 2.0 * (len(atoms) + 1) * _HALF_ULP * bounds
    low, high = values - slack, values + slack
    rows = atoms.tolist()
    best: tuple[float, Triple] | None = None
    # flatnonzero rises, so that of equal values the first one stays.
    for index in np.flatnonzero((low <= high.min()) & np.isfinite(values)).tolist():
        rest, iz = divmod(index, size)
        ix, iy = divmod(rest, size)
        value = exact(float(ix), float(iy), float(iz), rows)
        if best is None or value < best[0]:
            best = (value, (ix, iy, iz))
    return best


def exact(px: float, py: float, pz: float, rows: list[list[float]]) -> float:
    """Return the correctly rounded sum of energy / distance at a point on which no atom sits."""
    terms = []
    for x, y, z, energy in rows:
        dx, dy, dz = px - x, py - y, pz - z
        terms.append(energy / math.sqrt(dx * dx + dy * dy + dz * dz))
    return math.fsum(terms) + 0.0  # -0.0 counts as 0.0


def answer_faults(request: Request, atoms: NDArray[np.float64], job: dict[str, Any]) -> list[str]:
    """Return the faults of a done job's answer; an empty list means that it is right.

    Args:
        request: what was posted.
        atoms: the job's atoms, of shape (N, 4).
        job: as the interface showed it, with a result.
    """
    size = request.grid_size
    grid = {"origin": [0.0] * 3, "spacing": [1.0] * 3, "shape": [size] * 3}
    faults = [
        *_differ("grid", job.get("grid"), grid),
        *_differ("atom_count", job.get("atom_count"), request.atom_count),
        *_differ("seed", job.get("seed"), request.seed),
    ]
    found = least(size, atoms)
    if found is None:
        return [*faults, "the job is done, but an atom sits on every point"]
    value, index = found
    result = job["result"]
    told = result.get("minimum")
    if not isinstance(told, float) or told.hex() != value.hex():
        faults.append(f"minimum is {told!r}, should be {value!r}")
    return [
        *faults,
        *_differ("index", result.get("index"), list(index)),
        *_differ("point", result.get("point"), [float(step) for step in index]),
    ]


def drawn_faults(request: Request, atoms: NDArray[np.float64]) -> list[str]:
    """Return the faults of atoms that the service drew."""
    if atoms.shape != (request.atom_count, 4):
        return [f"atoms have the shape {atoms.shape}, should have ({request.atom_count}, 4)"]
    low, high = request.energy_range
    places, energies = atoms[:, :3], atoms[:, 3]
    faults = []
    if not ((places >= 0) & (places <= request.grid_size - 1)).all():
        faults.append("an atom lies outside the grid's box")
    if not ((energies >= low) & (energies < high)).all():
        faults.append(f"an energy lies outside [{low}, {high})")
    if request.atom_count > 1 and not np.ptp(atoms, axis=0).all():
        faults.append("all atoms agree in a column")
    return faults


def record_faults(
    atoms: NDArray[np.float64], job: dict[str, Any], record: dict[str, Any]
) -> list[str]:
    """Return the contradictions between a job's record, the job and its atoms."""
    expected = {
        "Grid size": job["grid"]["shape"],
        "Atom count": len(atoms),
        "Atom values": atoms.tolist(),
        "Result": job["result"],
    }
    return [
        f"the record's {name!r} is not the job's"
        for name, value in expected.items()
        if record.get(name) != value
    ]


def _rough(
    size: int, atoms: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of terms and of absolute terms at each point; on atoms inf, and inf and 0."""
    steps = np.arange(size, dtype=np.float64)[:, None]
    squares = [np.square(steps - atoms[:, k]) for k in range(3)]  # each (n, N)
    energies = atoms[:, 3]
    values = np.empty((size, size, size))
    bounds = np.empty_like(values)
    slab = max(1, _BLOCK // len(atoms))
    for ix in range(size):
        for iy in range(size):
            plane = squares[0][ix] + squares[1][iy]
            for start in range(0, size, slab):
                part = slice(start, start + slab)
                terms = plane + squares[2][part]
                occupied = (terms == 0).any(axis=1)
                np.sqrt(terms, out=terms)
                with np.errstate(divide="ignore", invalid="ignore"):
                    np.divide(energies, terms, out=terms)
                terms[occupied] = 0.0
                values[ix, iy, part] = np.where(occupied, np.inf, terms.sum(axis=1))
                bounds[ix, iy, part] = np.abs(terms, out=terms).sum(axis=1)
    return values.ravel(), bounds.ravel()


def _differ(name: str, told: Any, true: Any) -> Iterator[str]:
    if told != true:
        yield f"{name} is {told!r}, should be {true!r}"
