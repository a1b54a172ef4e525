"""What a job asks, in the words of the interface."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from gridwell.domain.atoms import Atoms
from gridwell.domain.grid import Grid
from gridwell.formats import read_atoms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike


class JobRequest(TypedDict, total=False):
    """`grid_size` or `grid`, `atom_count` (with `seed`) or `atoms`, and the options."""

    grid_size: int | None  #: n: the n x n x n points at the integer coordinates 0..n-1
    grid: Grid | Mapping[str, Any] | None  #: any regular grid: origin, spacing and shape
    atom_count: int | None  #: how many atoms to draw, uniformly in the grid's box
    seed: int | None  #: of that drawing
    energy_range: Sequence[float] | None  #: of that drawing: [low, high)
    atoms: ArrayLike | Atoms | Path | None  #: your own: x, y, z, energy of each; or a file of them
    min_distance: float  #: points nearer than this to any atom do not qualify
    softening: float  #: distances below this count as this
    top: int | None  #: how many points are wanted
    min_separation: float | None  #: how far from one another the points of `top` are, at least
    #: ions to place: count, energy (1 or -1), and perhaps min_distance and min_separation
    place: Mapping[str, Any] | None
    keep_grid: bool  #: keep the potential of every point, for `Job.grid` and `Job.download`


def request_body(request: JobRequest) -> dict[str, Any]:
    """The JSON body of a request; numbers keep every bit.

    Nothing is checked here but files, which are read: the service does it, and names all faults at
    once.

    Raises:
        InvalidJob: with what is wrong with each line of a file of atoms.
        OSError: if that file cannot be read.
    """
    body: dict[str, Any] = {name: value for name, value in request.items() if value is not None}
    if isinstance(grid := body.get("grid"), Grid):
        body["grid"] = dataclasses.asdict(grid)
    if "atoms" in body:
        body["atoms"] = np.asarray(_table(body["atoms"])).tolist()
    return body


def _table(atoms: ArrayLike | Atoms | Path) -> ArrayLike:
    """Rows of x, y, z and energy."""
    if isinstance(atoms, Path):
        atoms = read_atoms(atoms.read_bytes(), atoms.name).atoms
    return atoms.rows() if isinstance(atoms, Atoms) else atoms
