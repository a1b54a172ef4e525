"""Problems whose every chunk's minimum is known, so that the loop needs no kernel."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from unittest import mock

from gridwell.kinds.grid import cost, work
from gridwell.kinds.grid.atoms import Atoms
from gridwell.kinds.grid.grid import Box, Grid
from gridwell.kinds.grid.minimum import Minimum, lesser
from gridwell.kinds.grid.problem import Problem
from gridwell.kinds.grid.series import Series
from gridwell.kinds.grid.work import chunking_of
from tests.harness.oracle import true_minimum, true_series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.kinds.grid.chunking import Chunking

#: Into how many chunks these grids are cut.  Real plans of such a size would be of grids that take
#: minutes to compute; how many chunks there are is all that matters here.
_CHUNKS: Final = {(8, 8, 8): 8, (2, 3, 40): 8, (6, 6, 6): 16, (8, 8, 7): 32, (3, 4, 12): 36}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A problem, and all that a kernel would find out.

    Chunks answer their own minimum, though a kernel may answer a lesser incumbent: so the answer
    hangs on one chunk, and losing that one shows.
    """

    problem: Problem
    plan: Chunking  #: as submit will cut it
    minima: dict[Box, Minimum | None]  #: None: no point of the box qualifies
    least: Minimum | None
    points: tuple[Minimum, ...] = ()  #: of a series


@contextmanager
def cut_finely() -> Iterator[None]:
    """Within it, small grids have many chunks, and nobody sees at the door that nothing qualifies.

    That is checked for problems of few pairs only, and these are such.
    """

    def chunk_count(
        shape: tuple[int, int, int], _atoms: int, _kind: str, _series: Series | None
    ) -> int:
        return _CHUNKS.get(shape, 1)

    with (
        mock.patch.object(cost, "chunk_count", chunk_count),
        mock.patch.object(work, "has_no_candidate", return_value=False),
    ):
        yield


@functools.cache
def known_problems() -> dict[str, Known]:
    """Problems by sha: of one chunk to 36, some with chunks in which nothing qualifies.

    In one of them no point of the grid qualifies.  Two are series.
    """
    tiny, cube, long = (
        Grid.cube(3),
        Grid.cube(8),
        Grid((0.0, 0.0, 0.0), (0.5, 1.0, 1.0), (2, 3, 40)),
    )
    middle = Grid.cube(6)
    wide = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (8, 8, 7))
    flat = Grid((-1.0, 0.0, 0.0), (1.0, 1.0, 0.5), (3, 4, 12))
    made = [
        Problem(tiny, Atoms.from_rows(((0.3, 0.2, 0.9, -1.0),))),
        Problem(tiny, Atoms.from_rows(((1.7, 1.6, 0.4, 2.0), (0.1, 0.2, 0.3, -0.5)))),
        Problem(tiny, Atoms.from_rows(((1.2, 1.1, 0.9, -1.0),)), min_distance=9.0),
        Problem(cube, Atoms.from_rows(((4.3, 2.2, 6.9, -1.0), (5.1, 3.3, 7.7, -0.4)))),
        Problem(cube, Atoms.from_rows(((1.6, 1.4, 1.3, -3.0),)), min_distance=4.5),
        Problem(long, Atoms.from_rows(((0.2, 1.3, 31.3, -2.0),))),
        Problem(middle, Atoms.from_rows(((3.2, 3.4, 1.1, 1.5),))),
        Problem(wide, Atoms.from_rows(((6.2, 5.4, 4.1, -1.5), (1.2, 1.3, 1.4, -1.4)))),
        Problem(flat, Atoms.from_rows(((0.2, 3.4, 4.1, -1.5),))),
        Problem(tiny, Atoms.from_rows(((0.3, 0.2, 0.9, -1.0),)), series=Series(3, 1.5)),
        Problem(
            tiny,
            Atoms.from_rows(((1.3, 1.2, 0.9, 1.0), (0.1, 0.2, 1.7, 0.5))),
            min_distance=1.0,
            series=Series(2, ion=-1),
        ),
    ]
    with cut_finely():
        return {problem.sha: _known(problem) for problem in made}


def _known(problem: Problem) -> Known:
    plan = chunking_of(problem)
    if problem.series is not None:
        points = true_series(problem)
        minima: dict[Box, Minimum | None] = {plan.box(0): points[0]}
        return Known(problem=problem, plan=plan, minima=minima, least=points[0], points=points)
    minima = {
        plan.box(chunk): true_minimum(problem, plan.box(chunk)) for chunk in range(plan.chunks)
    }
    least = functools.reduce(lesser, minima.values())
    return Known(problem=problem, plan=plan, minima=minima, least=least)
