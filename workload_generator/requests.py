"""The stream of requests.  Pure: a place in the stream of a seed gives the same request for ever.

Nothing of a request is kept but its place: its atoms are drawn again whenever they are needed, so
that a long run does not fill the memory.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEDED_EVERY: Final = 10  #: one request in so many leaves the drawing of atoms to the service
_MAX_SEED: Final = 2**53  #: exclusive: JSON's readers keep every integer below it

# Each kind of draw has a stream of its own, so that none moves when another changes.
_SHAPE, _ATOMS, _REPEAT = range(3)


class Energies(enum.StrEnum):
    """Sign of the atoms' energies."""

    SIGNED = "signed"  #: the minimum lies anywhere
    POSITIVE = "positive"  #: the minimum lies on the grid's boundary
    NEGATIVE = "negative"  #: the minimum lies beside an atom

    @property
    def range(self) -> tuple[float, float]:
        """Energies are drawn from [low, high)."""
        low = 0.0 if self is Energies.POSITIVE else -1.0
        high = 0.0 if self is Energies.NEGATIVE else 1.0
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Ranges from which the requests of a run are drawn."""

    seed: int  #: names the stream
    offset: int  #: where in the stream the run begins: a fresh one finds nothing in the cache
    grid_sizes: tuple[int, ...]  #: n for n x n x n points
    atom_counts: tuple[int, ...]
    energies: Energies = Energies.SIGNED
    repeat_fraction: float = 0.0  #: of requests that repeat an earlier one of the run


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One problem to post."""

    stream: int  #: the seed of the stream
    number: int  #: its place in the stream
    grid_size: int
    atom_count: int
    energy_range: tuple[float, float]
    seed: int | None  #: None: the atoms are posted; else the service draws them of this seed

    def atoms(self) -> NDArray[np.float64] | None:
        """Rows of x, y, z and energy, of shape (N, 4); None if the service draws them."""
        if self.seed is not None:
            return None
        unit = _draws(self.stream, self.number, _ATOMS).random((self.atom_count, 4))
        low, high = self.energy_range
        unit[:, :3] *= self.grid_size - 1
        unit[:, 3] = low + (high - low) * unit[:, 3]
        return unit

    def body(self) -> dict[str, Any]:
        """Return the request as the service's interface wants it."""
        atoms = self.atoms()
        if atoms is not None:
            return {"grid_size": self.grid_size, "atoms": atoms.tolist()}
        return {
            "grid_size": self.grid_size,
            "atom_count": self.atom_count,
            "seed": self.seed,
            "energy_range": list(self.energy_range),
        }


def request(mix: Mix, place: int) -> Request:
    """Return the request at a place of a run.

    Args:
        mix: what it is drawn from.
        place: 0 for the run's first request.
    """
    source = place
    # The place that a repeat draws may be a repeat itself: follow it to what was really posted.
    while source:
        draw = _draws(mix.seed, mix.offset + source, _REPEAT)
        if draw.random() >= mix.repeat_fraction:
            break
        source = int(draw.random() * source)
    number = mix.offset + source
    size, count, seed = _draws(mix.seed, number, _SHAPE).random(3).tolist()
    return Request(
        stream=mix.seed,
        number=number,
        grid_size=mix.grid_sizes[int(size * len(mix.grid_sizes))],
        atom_count=mix.atom_counts[int(count * len(mix.atom_counts))],
        energy_range=mix.energies.range,
        # Counted, not drawn: a short run has its share of them too.
        seed=int(seed * _MAX_SEED) if number % SEEDED_EVERY == SEEDED_EVERY - 1 else None,
    )


def _draws(stream: int, number: int, kind: int) -> np.random.Generator:
    return np.random.default_rng([stream, number, kind])
