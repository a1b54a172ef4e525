"""All points of some boxes, slab by slab: what kernels that sum every pair have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from app_tier.kinds.grid.kernels.kernel import Progress
    from app_tier.kinds.grid.kernels.sum.row_sums import RowBlock
    from app_tier.kinds.grid.kernels.sum.survivors import Survivors
    from gridwell.kinds.grid.minimum import Minimum


def swept(
    slabs: Iterable[RowBlock],
    look: Callable[[RowBlock], Iterator[float]],
    survivors: Survivors,
    progress: Progress,
) -> Minimum | None:
    """Return the least of the points of some slabs.

    Args:
        slabs: each with points that no other has.
        look: adds those of a slab that could be the least to `survivors`, and yields again and
            again what share of the slab's work is done.
        survivors: what decides.
        progress: see `app_tier.kinds.grid.kernels.kernel.Kernel`.
    """
    done = 0
    # 1/0 on an atom, and then inf - inf: those points are told apart.
    with np.errstate(all="ignore"):
        for slab in slabs:
            for share in look(slab):
                progress(done + int(slab.points * share))
            done += slab.points
            progress(done)
    for _ in survivors.settle():
        progress(done)
    return survivors.best
