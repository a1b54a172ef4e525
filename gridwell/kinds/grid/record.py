"""The record of a finished job, by which anybody can check the answer.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.kinds.grid.atoms import Atoms
    from gridwell.kinds.grid.minimum import Minimum
    from gridwell.kinds.grid.problem import Problem

_ROWS: Final = 10_000  #: atoms turned into text at a time: a million at once are 4 million objects


def record(problem: Problem, *points: Minimum) -> bytes:
    """Return a problem and its points as JSON whose floats read back to the same bits.

    Equal arguments give equal bytes.

    Args:
        problem: what was asked.
        *points: what was found; one, unless the problem asks for a series.
    """
    grid, best, series = problem.grid, points[0], problem.series
    question: dict[str, Any] = {
        "Grid size": grid.shape,
        "Grid origin": grid.origin,
        "Grid spacing": grid.spacing,
        "Minimum distance": problem.min_distance,
        "Softening": problem.softening,
        "Atom count": problem.atoms.count,
    }
    if series is not None:
        question |= {
            "Points wanted": series.count,
            "Minimum separation": series.min_separation,
            "Ion energy": series.ion,
        }
    result: dict[str, Any] = {
        "Problem": problem.sha,
        "Result": {
            "minimum": best.value,
            "index": grid.triple(best.index),
            "point": grid.point(best.index),
        },
    }
    if series is not None:
        result["Points"] = [
            {
                "minimum": each.value,
                "index": grid.triple(each.index),
                "point": grid.point(each.index),
            }
            for each in points
        ]
    atoms = b",".join(_rows(problem.atoms))
    return b'%s,"Atom values":[%s],%s' % (to_json(question)[:-1], atoms, to_json(result)[1:])


def _rows(atoms: Atoms) -> Iterator[bytes]:
    """Yield the atoms as JSON, without the outer brackets, in pieces."""
    table = atoms.rows()
    for start in range(0, atoms.count, _ROWS):
        yield to_json(table[start : start + _ROWS].tolist())[1:-1]
