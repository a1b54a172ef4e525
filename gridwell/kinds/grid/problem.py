"""A problem: a grid, atoms and the options that change the answer.  It is known by its sha."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridwell.engine.canonical_json import canonical_json, sha_of
from gridwell.engine.errors import Fault, InvalidJob, InvalidMessage, OtherVersion
from gridwell.kinds.grid import limits
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.potential import FORMULA_VERSION
from gridwell.kinds.grid.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = 1  #: of the stored file


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A problem: the least potential of these atoms on this grid, or a series of points.

    Attributes:
        grid: the points.
        atoms: the atoms.
        min_distance: points nearer than this to any atom do not qualify.
        softening: distances below this count as this.
        incumbent: linear index of a point that is likely to be low, a hint for kernels: not part
            of the identity, and never able to change the answer.
        series: the points that are wanted; None: the least one.
        sha: the problem's identity, in hex.

    Raises:
        InvalidJob: if an option lies outside the limits.
    """

    grid: Grid
    atoms: Atoms
    min_distance: float = 0.0
    softening: float = 0.0
    incumbent: int | None = None
    series: Series | None = None
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        faults = [*option_faults(self.min_distance, self.softening)]
        hint = self.incumbent
        if hint is not None and not (isinstance(hint, int) and 0 <= hint < self.grid.points):
            # A kernel would take such a point's value for one of the grid's.
            faults.append(Fault("/incumbent", f"{hint!r} is not a point of the grid"))
        series = self.series
        if series is not None and series.ion:
            faults += _ion_faults(self.grid, self.atoms, series)
        if faults:
            raise InvalidJob(*faults)
        if series is not None and series.is_plain:
            # One problem, whichever way it was asked.
            object.__setattr__(self, "series", None)
        object.__setattr__(self, "sha", sha_of({**self._options(), "atoms": self.atoms.sha()}))

    @property
    def pairs(self) -> int:
        """Points times atoms: the work of summing everything."""
        return self.grid.points * self.atoms.count

    def encode(self) -> bytes:
        """Return the problem as an .npz file: options as JSON, atoms as raw float64, no pickle.

        Equal problems with equal hints give equal bytes.
        """
        fields = {"format": FORMAT, **self._options(), "incumbent": self.incumbent}
        header = canonical_json(fields).encode()
        file = io.BytesIO()
        np.savez(file, header=np.frombuffer(header, np.uint8), atoms=self.atoms.rows())
        return file.getvalue()

    @classmethod
    def decode(cls, data: bytes | Path, *, sha: str) -> Problem:
        """Return the problem that `encode` gave.

        Args:
            data: the file's bytes, or where it is.
            sha: the name under which it was stored.

        Raises:
            OtherVersion: if the file is of another release's format or formula.
            InvalidMessage: if the bytes are not such a file, or not that of problem `sha`.
        """
        try:
            with np.load(
                io.BytesIO(data) if isinstance(data, bytes) else data, allow_pickle=False
            ) as file:
                header = json.loads(file["header"].tobytes())
                _check_versions(header, sha)
                atoms = Atoms.from_rows(file["atoms"])
            origin, spacing, shape = header["origin"], header["spacing"], header["shape"]
            problem = cls(
                Grid(tuple(origin), tuple(spacing), tuple(shape)),
                atoms,
                header["min_distance"],
                header["softening"],
                header["incumbent"],
                Series.decode(header.get("series")),
            )
        except InvalidMessage:
            raise
        except Exception as error:
            # zipfile and numpy promise no set of errors, and damaged bytes raise many kinds.
            raise InvalidMessage(f"the file of problem {sha} cannot be read: {error}") from error
        if problem.sha != sha:
            raise InvalidMessage(f"the file of problem {sha} holds problem {problem.sha}")
        return problem

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "formula": FORMULA_VERSION,
            "origin": [float(value) for value in self.grid.origin],
            "spacing": [float(value) for value in self.grid.spacing],
            "shape": list(self.grid.shape),
            "min_distance": float(self.min_distance),
            "softening": float(self.softening),
        }
        # Left out, so that problems without one keep the sha that they had before there were any.
        return options if self.series is None else options | {"series": self.series.encode()}


def _ion_faults(grid: Grid, atoms: Atoms, series: Series) -> Iterator[Fault]:
    """Return the faults of a grid on which ions could not be atoms."""
    if atoms.count + series.count > limits.MAX_ATOMS:
        yield Fault(
            series.path,
            f"{series.count} ions and {atoms.count} atoms are more than {limits.MAX_ATOMS}; "
            "place fewer",
        )
    farthest = max(map(abs, grid.point(grid.points - 1)))
    if farthest > limits.MAX_COORDINATE:
        yield Fault(
            "/grid",
            f"the grid reaches to {farthest!r}, where no ion can be placed; end it within "
            f"{limits.MAX_COORDINATE:g}",
        )


def _check_versions(header: dict[str, Any], sha: str) -> None:
    """Whatever the format, the file has a header with these two numbers."""
    for name, ours in (("format", FORMAT), ("formula", FORMULA_VERSION)):
        if header[name] != ours:
            raise OtherVersion(
                f"problem {sha} is of {name} {header[name]!r}, this release reads {ours}: another "
                "one is needed"
            )


def option_faults(min_distance: float, softening: float) -> Iterator[Fault]:
    """Return the faults of a problem's options."""
    for name, value in (("min_distance", min_distance), ("softening", softening)):
        if not 0 <= value <= limits.MAX_DISTANCE:
            yield Fault(
                f"/{name}",
                f"{value!r} is not a distance between 0 and {limits.MAX_DISTANCE:g}",
            )
    if 0 < softening < limits.MIN_SOFTENING:
        yield Fault(
            "/softening", f"{softening!r} is neither 0 nor at least {limits.MIN_SOFTENING:g}"
        )
