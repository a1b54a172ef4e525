"""A kept map as a file that is put together while it is downloaded."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Response, request

from gridwell.engine.job import JobState
from gridwell.kinds.grid import formats
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.map_reader import SLAB_POINTS, MapGone, map_values
from web_tier.api.downloads import download, exactly, in_pieces
from web_tier.api.etags import kept, unless_known
from web_tier.api.responses import gone
from web_tier.dependencies import current
from web_tier.kinds.grid.atom_files import FEW_ATOMS
from web_tier.kinds.grid.stored_problem import read_problem
from web_tier.problem_details import problem_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from gridwell.engine.job import Job
    from gridwell.kinds.grid.atoms import Atoms

    GetAtoms = Callable[[], Atoms]  #: read only where they are needed, and once
    #: From a job, its atoms and the values of its map to a file.
    Write = Callable[[Job, GetAtoms, Iterator[NDArray[np.float64]]], Iterator[bytes]]

_FEW_POINTS: Final = SLAB_POINTS
_ROW: Final = 1  #: points: the shortest slab there is, a row along z


class _AtomsGone(Exception):  # noqa: N818 - named for what it is
    """The job's problem has outlived its time in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapForm:
    """A form of a map's file."""

    name: str  #: of the file, after the job's
    content_type: str
    write: Write
    #: bytes of the file, if they can be told before it is written
    length: Callable[[Job, GetAtoms], int | None] = lambda *_: None
    with_atoms: bool = False  #: whether the file holds them


DX: Final = MapForm(
    name="grid.dx",
    content_type="text/plain; charset=utf-8",
    write=lambda job, _, values: formats.dx(grid_view(job).grid, values, title=[_title(job)]),
)
NPZ: Final = MapForm(
    name="grid.npz",
    content_type="application/zip",
    write=lambda job, _, values: formats.npz(grid_view(job).grid, values),
    length=lambda job, _: formats.npz_length(grid_view(job).grid),
)
CSV: Final = MapForm(
    name="points.csv",
    content_type="text/csv; charset=utf-8",
    write=lambda job, _, values: formats.map_csv(grid_view(job).grid, values),
)


def _cube_length(job: Job, atoms: GetAtoms) -> int | None:
    view = grid_view(job)
    if view.result is None:
        return None
    return formats.cube_length(view.grid, atoms(), title=_title(job), least=view.result.value)


CUBE: Final = MapForm(
    name="grid.cube",
    content_type="chemical/x-cube",
    write=lambda job, atoms, values: formats.cube(
        grid_view(job).grid, atoms(), values, title=_title(job)
    ),
    length=_cube_length,
    with_atoms=True,
)


def map_file(job: Job, form: MapForm) -> Response:
    """Return the file of a job that keeps its map, or the reason why there is none."""
    if job.state is not JobState.DONE:
        return problem_response(
            HTTPStatus.CONFLICT,
            f"job {job.id} is {job.state}; only a done job has its whole map",
            code="not_done",
        )
    headers = {
        "Accept-Ranges": "none",  # each byte may depend on all chunks before it
        "Cache-Control": kept(job, current().clock.now()),
        "Content-Disposition": f'attachment; filename="{job.id[:8]}-{form.name}"',
    }
    is_looked_at = request.method == "HEAD"
    view = grid_view(job)
    large = (view.grid.points > _FEW_POINTS and not is_looked_at) or (
        form.with_atoms and view.atom_count > FEW_ATOMS
    )
    # Another attempt's values may differ in their last bits.
    return unless_known(
        f"{job.attempt}.{form.name}",
        headers,
        lambda tagged: download(
            partial(_made, job, form, tagged),
            large=large,
            size=0 if is_looked_at else view.grid.points,
        ),
    )


def _made(job: Job, form: MapForm, headers: Mapping[str, str]) -> Response:
    """The file in pieces.

    The first values and the first piece are made at once, so that what cannot be had is told by
    the status.  What fails later breaks the connection off: no file may look whole that is not.
    Who only looks is told the same by a single row.
    """
    is_looked_at = request.method == "HEAD"
    values = map_values(
        current().service.store, job, most_points=_ROW if is_looked_at else SLAB_POINTS
    )
    atoms = cache(partial(_atoms, job))
    try:
        values = itertools.chain([next(values)], values)
        length = form.length(job, atoms)
        pieces = iter(()) if is_looked_at else _begun(form.write(job, atoms, values))
    except (MapGone, _AtomsGone):
        return gone("this map is")
    if length is not None:
        headers = {**headers, "Content-Length": str(length)}
        pieces = pieces if is_looked_at else exactly(pieces, length)
    return Response(pieces, headers=headers, content_type=form.content_type)


def _begun(written: Iterator[bytes]) -> Iterator[bytes]:
    pieces = in_pieces(written)
    return itertools.chain([next(pieces)], pieces)


def _atoms(job: Job) -> Atoms:
    problem = read_problem(job)
    if problem is None:
        raise _AtomsGone
    return problem.atoms


def _title(job: Job) -> str:
    return f"potential of {grid_view(job).atom_count} atoms, Gridwell job {job.id}"
