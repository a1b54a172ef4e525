"""The store, which refuses the objects of one problem: for good, or for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridwell.adapters.memory import MemoryStore
from gridwell.engine.errors import ServiceDenied
from gridwell.engine.object_keys import problem_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.kernel import Simulation

KIND: Final = "access denied"
_BEGINS: Final = 300.0  #: at the latest, after the start
_WHILE: Final = 900.0  #: how long a refusal lasts that ends, at most


class SimulatedStore(MemoryStore):
    """Keeps the promises of `gridwell.engine.ports.ObjectStore`.

    Args:
        sim: time and chance.
        problem: whose objects are refused, where a seed has that kind of fault.
        is_record_of: whether a key is of a record of a job of this problem.
    """

    def __init__(
        self, sim: Simulation, problem: str, is_record_of: Callable[[str, str], bool]
    ) -> None:
        super().__init__()
        self.denied: str | None = problem if sim.faults.has(KIND) else None
        self.was_refused = False
        self._sim = sim
        self._is_record_of = is_record_of
        if self.denied is None:
            return
        rng = sim.rng
        self._records = rng.random() < 1 / 3  #: their records, or else the problem itself
        self._begins = sim.now + rng.uniform(0.0, _BEGINS)
        lasts = rng.choice((rng.uniform(0.0, _WHILE), float("inf")))
        self._ends = self._begins + lasts

    def put_new(self, key: str, data: bytes, *, content_type: str) -> bool:
        """See `gridwell.engine.ports.ObjectStore`."""
        if self.denied is not None and self._records:
            self._refuse(key, is_denied=self._is_record_of(key, self.denied))
        return super().put_new(key, data, content_type=content_type)

    def get(self, key: str) -> bytes | None:
        """See `gridwell.engine.ports.ObjectStore`."""
        if self.denied is not None and not self._records:
            self._refuse(key, is_denied=key == problem_object(self.denied))
        return super().get(key)

    def _refuse(self, key: str, *, is_denied: bool) -> None:
        if is_denied and self._begins <= self._sim.now < self._ends:
            self.was_refused = True
            self._sim.faults.injected[KIND] += 1
            raise ServiceDenied(f"the object {key} is refused", code="InvalidObjectState")
