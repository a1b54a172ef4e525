"""The stored problem of a job, for requests that submit it again or with another series."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.grid.problem import Problem
from web_tier.auth.owners import owner
from web_tier.dependencies import current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.engine.job import Job

_ATOM_BYTES: Final = 80  #: of an atom, as JSON, at most


@contextmanager
def stored_problem(job: Job) -> Iterator[Problem | None]:
    """Hold a permit to submit and yield a job's problem; None if its atoms are gone.

    Raises:
        Overloaded: if there is no permit for one of that size.
    """
    parts = current()
    size = _ATOM_BYTES * grid_view(job).atom_count
    with parts.gates.submitting(size, owner()):
        yield read_problem(job)


def read_problem(job: Job) -> Problem | None:
    """Return a job's problem, or None if it is no longer kept.

    Raises:
        ObjectDenied: if the store refuses it.
        InvalidMessage: if it is damaged, or of another release.
    """
    spec = current().service.spec(job)
    return None if spec is None else Problem.decode(spec, sha=job.spec)
