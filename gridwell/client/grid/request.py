"""Requests for the grid kinds, in the terms of the interface."""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

import numpy as np

from gridwell.client.json_body import plain
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.formats import read_atoms
from gridwell.kinds.grid.grid import Grid

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
    #: your own: x, y, z, energy of each, as rows or as an array; or the path of a file of them
    atoms: ArrayLike | Atoms | str | os.PathLike[str] | None
    min_distance: float  #: points nearer than this to any atom do not qualify
    softening: float  #: distances below this count as this
    top: int | None  #: how many points are wanted
    min_separation: float | None  #: how far from one another the points of `top` are, at least
    #: ions to place: count, energy (1 or -1), and perhaps min_distance and min_separation
    place: Mapping[str, Any] | None
    keep_grid: bool  #: keep the potential of every point, for `Job.grid` and `Job.download`


_CALLER: Final = 4  #: frames from here to the caller of `Client.submit`


def request_body(request: JobRequest) -> dict[str, Any]:
    """Return the JSON body of a request; numbers keep every bit.

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
        body["atoms"] = _table(body["atoms"])
    values: dict[str, Any] = plain(body)
    return values


def _table(atoms: Any) -> Any:
    """Rows of x, y, z and energy."""
    if isinstance(atoms, str | os.PathLike):
        path = Path(atoms)
        found = read_atoms(path.read_bytes(), path.name)
        for note in found.notes:
            warnings.warn(f"{path.name}: {note}", stacklevel=_CALLER)
        atoms = found.atoms
    if isinstance(atoms, Atoms):
        return atoms.rows()
    try:
        table = np.asarray(atoms)
    except ValueError:
        return atoms  # rows of different lengths: the service says which
    return table if table.dtype.kind in "iuf" else atoms
