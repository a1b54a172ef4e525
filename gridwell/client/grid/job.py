"""A job of the grid kinds, to follow and to read."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gridwell.client.grid.map import GridMap
from gridwell.client.grid.picture import Picture, draw
from gridwell.client.job import Job
from gridwell.client.status import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gridwell.client.grid.status import GridStatus, Point, Result


class GridJob(Job["GridStatus"]):
    """A search on a grid that the service has accepted.

    `download` stores `atoms`, `record` and `points.csv`; of placed ions `ions.pdb`, and of a kept
    map `grid.dx`, `grid.cube` and `grid.npz`.

    Attributes:
        status: the job as last seen.
    """

    @property
    def result(self) -> Result | None:
        """The least point, or None if the job was not done when last seen."""
        return self.status.result

    @property
    def points(self) -> tuple[Point, ...]:
        """All points that it found, in their order; none if it was not done when last seen."""
        return self.status.points

    def wait(
        self,
        timeout: float | None = None,
        progress: Callable[[GridStatus], None] | None = None,
    ) -> Result:
        """Wait as `Job.wait` does, and return the least point."""
        result: Result = super().wait(timeout, progress)
        return result

    def atoms(self) -> NDArray[np.float64]:
        """Return its atoms: float64 of shape (N, 4), each x, y, z and energy."""
        response = self._transport.call(
            "GET", self._path("/atoms"), headers={"Accept": "application/x-npy"}
        )

        def read() -> NDArray[np.float64]:
            table: NDArray[np.float64] = np.load(io.BytesIO(response.content), allow_pickle=False)
            return table

        return decoded("a table of atoms", read)

    def record(self) -> dict[str, Any]:
        """Return the record of a done job: the question and the answer, to keep."""
        record: dict[str, Any] = self._transport.json("GET", self._path("/record"))
        return record

    def grid(self) -> GridMap:
        """Return the potential of every point, of a done job that was submitted with `keep_grid`.

        Raises:
            NoSuchJob: if it keeps its map no longer.
            WrongState: if it kept none, or is not done.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = self.download("grid.npz", Path(folder) / "grid.npz")
            return GridMap.load(path)

    def picture(self) -> Picture:
        """Return its atoms, the box of its grid and its points as a picture for a notebook."""
        return draw(self.status, self.atoms())
