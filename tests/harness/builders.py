"""Builders of data: whole problems and jobs, of which a test names only what it is about."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gridwell.adapters.memory import MemoryLedger
from gridwell.engine.job import DEADLINE_SECONDS, PUBLIC_CLIENT, Job, JobState, job_id
from gridwell.engine.messages import ErrorMessage, ResultMessage
from gridwell.engine.task_failure import MACHINE_FAILED
from gridwell.kinds.grid.atoms import Atoms, random_atoms
from gridwell.kinds.grid.chunking import split
from gridwell.kinds.grid.grid import Grid
from gridwell.kinds.grid.job_view import grid_detail, register_of
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from gridwell.kinds.grid.problem import Problem
from web_tier.jobs.signer import Signer

if TYPE_CHECKING:
    from gridwell.engine.register import Best
    from gridwell.kinds.grid.minimum import Minimum

NOW = 1_700_000_000.0  #: where `ManualClock` begins
ATTEMPT = "a" * 16
OTHER_ATTEMPT = "b" * 16
SECRET = b"a secret of the tests, 32 bytes!"


def a_problem(n: int = 4, *, atoms: int = 5, seed: int = 1, **options: Any) -> Problem:
    """A cube of n x n x n points with signed random atoms."""
    grid = Grid.cube(n)
    return Problem(grid, random_atoms(atoms, seed=seed, grid=grid), **options)


def of_version(data: bytes, name: str, version: int) -> bytes:
    """A stored problem as a release would write it whose `format` or `formula` is another."""
    with np.load(io.BytesIO(data)) as file:
        header, atoms = json.loads(file["header"].tobytes()), file["atoms"]
    header[name] = version
    stored = io.BytesIO()
    np.savez(stored, header=np.frombuffer(json.dumps(header).encode(), np.uint8), atoms=atoms)
    return stored.getvalue()


def a_long_problem(*, seed: int = 1) -> Problem:
    """A problem of minutes: with more atoms than points there is nothing that a kernel can skip."""
    return a_problem(60, atoms=250_000, seed=seed)


def atoms_at(*rows: tuple[float, float, float, float]) -> Atoms:
    """Atoms from rows of x, y, z and energy."""
    return Atoms.from_rows(rows)


def a_job(problem: Problem | None = None, *, chunks: int = 4, **changes: Any) -> Job:
    """A job as submit stores it: queued, its messages not yet known to be sent."""
    problem = a_problem() if problem is None else problem
    series = changes.pop("series", problem.series)
    client, chunks = changes.get("client", PUBLIC_CLIENT), chunks if series is None else 1
    chunking = changes.pop("chunking", None) or split(problem.grid.shape, chunks)
    job = Job(
        id=job_id(client, problem.sha, changes.get("kind", MINIMUM_KIND)),
        client=client,
        kind=MINIMUM_KIND if series is None else SERIES_KIND,
        spec=problem.sha,
        detail=grid_detail(
            problem.grid,
            chunking,
            atom_count=problem.atoms.count,
            seed=changes.pop("seed", None),
            min_distance=problem.min_distance,
            softening=problem.softening,
            series=series,
        ),
        tasks=chunking.chunks,
        plan=chunking.sha,
        state=JobState.QUEUED,
        attempt=ATTEMPT,
        created=NOW,
        deadline=NOW + DEADLINE_SECONDS,
    )
    return replace(job, **changes)


def a_register(least: Minimum | None) -> Best | None:
    """What a task leaves in its job's register whose least point this is."""
    return None if least is None else register_of(least)


def a_ledger() -> MemoryLedger:
    """An empty ledger whose secret is the one that `a_token` uses."""
    return MemoryLedger(draw_secret=lambda: SECRET)


def a_token(job: Job, chunk: int) -> str:
    """The token that the web tier of `a_ledger` gives out with a chunk."""
    return SIGNER.token(job, chunk)


def a_result(job: Job, chunk: int, best: Minimum | None, /, **changes: Any) -> ResultMessage:
    """The message of a worker that has computed a chunk."""
    message = ResultMessage(
        job=job.id,
        attempt=job.attempt,
        chunk=chunk,
        plan=job.plan,
        token=a_token(job, chunk),
        best=None if best is None else best.key(),
        worker="worker-1",
        seconds=0.1,
        digest="d" * 64 if job.kind == MAP_KIND else None,
    )
    return replace(message, **changes)


def a_series(job: Job, /, *points: Minimum, **changes: Any) -> ResultMessage:
    """The message of a worker that has computed a series."""
    keys = tuple(point.key() for point in points)
    message = ResultMessage(
        job=job.id,
        attempt=job.attempt,
        chunk=0,
        plan=job.plan,
        token=a_token(job, 0),
        best=keys[0] if keys else None,
        payload=keys,
        worker="worker-1",
        seconds=0.1,
    )
    return replace(message, **changes)


def an_error(job: Job, chunk: int, /, **changes: Any) -> ErrorMessage:
    """The message of a worker that could not compute a chunk."""
    message = ErrorMessage(
        job=job.id,
        attempt=job.attempt,
        chunk=chunk,
        plan=job.plan,
        token=a_token(job, chunk),
        worker="worker-1",
        code=MACHINE_FAILED,
        text="MemoryError()",
        receives=1,
    )
    return replace(message, **changes)


SIGNER = Signer(a_ledger())
