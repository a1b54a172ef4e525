"""What a job asks, in the words of the interface."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from gridwell.domain.grid import Grid

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
    atoms: ArrayLike | None  #: your own, of shape (N, 4): x, y, z and energy
    min_distance: float  #: points nearer than this to any atom do not qualify
    softening: float  #: distances below this count as this


def request_body(request: JobRequest) -> dict[str, Any]:
    """The JSON body of a request; numbers keep every bit.

    Nothing is checked here: the service does it, and names all faults at once.
    """
    body: dict[str, Any] = {name: value for name, value in request.items() if value is not None}
    if isinstance(grid := body.get("grid"), Grid):
        body["grid"] = dataclasses.asdict(grid)
    if "atoms" in body:
        body["atoms"] = np.asarray(body["atoms"]).tolist()
    return body
