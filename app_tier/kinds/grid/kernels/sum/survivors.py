"""The points that a filter could not rule out, and what is known of the least value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gridwell.kinds.grid.minimum import Minimum, lesser
from gridwell.kinds.grid.potential import least

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from app_tier.kinds.grid.kernels.kernel import Question
    from gridwell.kinds.grid.atoms import Atoms

_KEPT: Final = 4096  #: points kept before they are evaluated: near-ties must not fill the memory
_PAIRS: Final = 1 << 22  #: pairs evaluated between two signs of life


class Survivors:
    """Points whose bounds do not rule them out, pruned as better upper bounds come.

    Args:
        question: which potential; of points that are in no zone.
        best: a canonical minimum known already.
    """

    def __init__(self, question: Question, best: Minimum | None) -> None:
        self.best = best  #: the canonical minimum of `best` and all points evaluated so far
        self._question = question
        atoms, acts = question.atoms, question.acts
        # Points here qualify already: what atoms add that do not act is no sum of theirs, but zero.
        self._atoms: Atoms | None = None
        if acts.all():
            self._atoms = atoms
        elif acts.any():
            self._atoms = atoms.with_energies(np.where(acts, atoms.energies, 0.0))
        self._upper = math.inf if best is None else best.value
        self._indices = np.empty(0, dtype=np.int64)
        self._lower = np.empty(0)

    def add(
        self,
        indices: NDArray[np.int64],
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
    ) -> Iterator[None]:
        """Keep those of some points that could still be the least.

        Args:
            indices: linear indices of points that qualify, shape (M,).
            lower: bounds below their canonical values.
            upper: bounds above them.

        Yields:
            Whenever a batch was evaluated because too many were kept; drain it.
        """
        if not len(indices):
            return
        self._upper = min(self._upper, float(upper.min()))
        good = lower <= self._upper
        self._indices = np.concatenate([self._indices, indices[good]])
        self._lower = np.concatenate([self._lower, lower[good]])
        if len(self._indices) > _KEPT:
            self._prune()
        if len(self._indices) > _KEPT:
            yield from self.settle()

    def settle(self) -> Iterator[None]:
        """Evaluate what is kept, the lowest bounds first, and keep nothing; drain it."""
        order = np.lexsort((self._indices, self._lower))
        self._indices, self._lower = self._indices[order], self._lower[order]
        size = 1 if self._atoms is None else max(1, _PAIRS // self._atoms.count)
        if self._atoms is None:
            size = _KEPT
        while len(self._indices):
            self._prune()
            batch = self._indices[:size]
            self._indices, self._lower = self._indices[size:], self._lower[size:]
            self.best = lesser(self.best, self._least(batch))
            if self.best is not None:
                self._upper = min(self._upper, self.best.value)
            yield

    def _prune(self) -> None:
        good = self._lower <= self._upper
        self._indices, self._lower = self._indices[good], self._lower[good]

    def _least(self, batch: NDArray[np.int64]) -> Minimum | None:
        if not len(batch):
            return None
        if self._atoms is None:
            return Minimum(0.0, int(batch.min()))
        return least(
            self._question.grid,
            self._atoms,
            batch,
            min_distance=self._question.min_distance,
            softening=self._question.softening,
        )
