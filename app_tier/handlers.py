"""What a compute process does with a chunk, by the kind that its message names.

The queue, the lease and the fleet know nothing of what a chunk computes: another kind of work is
another entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app_tier.kernels import find_minimum
from app_tier.kernels.kernel import Progress
from gridwell.domain.grid import Box
from gridwell.domain.messages import MINIMUM_KIND
from gridwell.domain.minimum import Minimum
from gridwell.domain.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Takes the problem, the chunk's box, a likely point and a progress callback.
Handler = Callable[[Problem, Box, int | None, Progress], Minimum | None]


def minimum(
    problem: Problem, box: Box, incumbent: int | None, progress: Progress
) -> Minimum | None:
    """The least potential of the box and the incumbent."""
    return find_minimum(
        problem.grid,
        problem.atoms,
        box,
        min_distance=problem.min_distance,
        softening=problem.softening,
        incumbent=problem.incumbent if incumbent is None else incumbent,
        progress=progress,
    )


HANDLERS: Final[Mapping[str, Handler]] = {MINIMUM_KIND: minimum}
