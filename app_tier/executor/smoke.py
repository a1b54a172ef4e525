"""A smoke test of an installation: the known tasks of all kinds through a real compute process."""

from __future__ import annotations

import pkgutil
import time
from typing import TYPE_CHECKING, Final

from app_tier.executor.pool import ProcessPool

if TYPE_CHECKING:
    from app_tier.executor.port import KnownTask, TaskOutcome

_SECONDS: Final = 60.0


class SmokeFailed(Exception):  # noqa: N818 - named for what happened
    """The installation computes wrong, or not at all."""


def smoke(runners: str) -> str:
    """Run the known task of each kind that has one, and compare the output with the answer.

    Args:
        runners: the importable name of a mapping from kinds to their runners.

    Returns:
        The results, for people.

    Raises:
        SmokeFailed: with the reason.
    """
    known = [runner.known_task() for runner in pkgutil.resolve_name(runners).values()]
    with ProcessPool(1, runners=runners) as pool:
        return "; ".join(
            _checked(pool, task, ticket) for ticket, task in enumerate(known, 1) if task is not None
        )


def _checked(pool: ProcessPool, known: KnownTask, ticket: int) -> str:
    right = known.output.best
    if known.recompute is not None and (again := known.recompute()) != right:
        raise SmokeFailed(f"computed another way it is {again}, the answer is {right}")
    pool.submit(known.run_task(ticket))
    outcome = _awaited(pool)
    if flaw := known.flaw(outcome):
        raise SmokeFailed(flaw)
    milliseconds = outcome.seconds * 1000
    return f"a task of kind {known.kind!r} gave the known answer in {milliseconds:.0f} ms"


def _awaited(pool: ProcessPool) -> TaskOutcome:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        pool.wait(1.0)
        if outcomes := pool.finished():
            return outcomes[0]
    raise SmokeFailed(f"no outcome after {_SECONDS:.0f} seconds")
