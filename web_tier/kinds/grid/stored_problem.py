"""The stored problem of a job, for requests that submit it once more or with another wish."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from web_tier.auth.owners import owner
from web_tier.dependencies import current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridwell.engine.job import Job
    from gridwell.kinds.grid.problem import Problem

_ATOM_BYTES: Final = 80  #: of an atom, as JSON, at most


@contextmanager
def stored_problem(job: Job) -> Iterator[Problem | None]:
    """A job's problem, with a place among the submissions; None if its atoms are gone.

    Raises:
        Overloaded: if there is no place for one of that size.
    """
    parts = current()
    with parts.gates.submitting(_ATOM_BYTES * job.atom_count, owner()):
        yield parts.service.problem(job)
