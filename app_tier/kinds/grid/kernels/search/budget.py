"""A search on a budget: what all kernels that search have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from app_tier.kinds.grid.kernels.kernel import Progress
    from app_tier.kinds.grid.kernels.sum.survivors import Survivors
    from gridwell.kinds.grid.grid import Box
    from gridwell.kinds.grid.minimum import Minimum

#: Finds the least of some boxes by summing: takes them, the best known and the progress of them.
Rest = Callable[["list[Box]", "Minimum | None", "Progress"], "Minimum | None"]


class Stepwise(Protocol):
    """A search that can be left after each step."""

    survivors: Survivors  #: points that could be the least

    @property
    def is_open(self) -> bool:
        """True if a box is still to be searched."""

    @property
    def points_left(self) -> int:
        """Points that are neither ruled out nor summed yet."""

    @property
    def cost(self) -> float:
        """Of the work that is done, as counted: the same on every run."""

    def step(self, budget: float) -> None:
        """Look at open boxes for some milliseconds, or until the cost comes to the budget."""

    def open_boxes(self) -> list[Box]:
        """Return the boxes that hold all points that are left."""


def searched(
    search: Stepwise, box: Box, *, budget: float, rest: Rest, progress: Progress
) -> Minimum | None:
    """Return the least of a box by a search, and by sums when the budget is spent.

    Args:
        search: of the box, just begun.
        box: the box.
        budget: a cost.
        rest: sums what is left.
        progress: see `app_tier.kinds.grid.kernels.kernel.Kernel`.
    """
    done = 0
    with np.errstate(all="ignore"):  # what is not finite rules nothing out
        while search.is_open and search.cost < budget:
            search.step(budget)
            done = box.points - search.points_left
            progress(done)
        for _ in search.survivors.settle():
            progress(done)
    best = search.survivors.best
    if left := search.open_boxes():
        before = box.points - sum(part.points for part in left)
        best = rest(left, best, lambda points: progress(max(done, before + points)))
    progress(box.points)
    return best
