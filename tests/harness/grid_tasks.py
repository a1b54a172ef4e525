"""Tasks of the grid kinds, as executors run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app_tier.executor.port import RunTask
from gridwell.kinds.grid.chunking import Chunking
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.names import MINIMUM_KIND

RUNNERS: Final = "app_tier.kinds.registry:RUNNERS"  #: for executors

if TYPE_CHECKING:
    from app_tier.executor.port import TaskOutcome
    from gridwell.kinds.grid.grid import Box
    from gridwell.kinds.grid.problem import Problem


def a_run_task(
    ticket: int,
    problem: Problem,
    box: Box | None = None,
    *,
    kind: str = MINIMUM_KIND,
    **changes: Any,
) -> RunTask:
    """Return the task of computing a box, or all of the grid."""
    box = problem.grid.box if box is None else box
    cuts = [
        tuple(sorted({0, low, high, length}))
        for low, high, length in zip(box.low, box.high, problem.grid.shape, strict=True)
    ]
    chunking = Chunking((cuts[0], cuts[1], cuts[2]))
    fields: dict[str, Any] = {
        "ticket": ticket,
        "kind": kind,
        "spec": problem.sha,
        "data": problem.encode(),
        "detail": {"plan": chunking.encode()},
        "task": chunking.chunk_at(box.low),
    }
    return RunTask(**(fields | changes))


def box_of(task: RunTask) -> Box:
    """Return the box that a task computes."""
    return Chunking.decode(task.detail["plan"]).box(task.task)


def best_of(outcome: TaskOutcome) -> Minimum | None:
    """Return the minimum that a task found."""
    return None if outcome.best is None else Minimum.from_key(outcome.best)


def points_of(outcome: TaskOutcome) -> tuple[Minimum, ...]:
    """Return the points that a task of a series found."""
    assert outcome.payload is not None
    return tuple(map(Minimum.from_key, outcome.payload))
